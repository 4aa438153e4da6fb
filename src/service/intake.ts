/**
 * What comes to a service, read and sorted: what waits for no room - answers to its own requests, requests taken back,
 * questions about itself, the end - at once, and work as there is room for it.
 *
 * While more work is in hand than the service allows, the next messages are looked at and held, a few of them: among them
 * may be the one that ends what is in hand. Behind those nothing is read, and the transport pushes back on the senders. But
 * while a request of the service's own is open everything is read, before it is running and while it ends, too: a handler
 * that waits for an answer would otherwise wait for itself.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import type { Message } from '../message/message.ts';
import type { Requests } from './requests.ts';
import { readContent, type ServiceContent } from './wire.ts';

/** A message, and what it means; undefined for a general one. */
export interface Received {
  readonly message: Message;
  readonly meaning: ServiceContent | undefined;
}

/** What the intake needs of its service. */
export interface IntakePort {
  readonly client: Client;
  readonly requests: Requests;
  /** How much more work may be taken in hand. */
  room(): number;
  /** Work: a request, a general message. */
  take(received: Received): void;
  /** An answer, a request taken back, a question about the service itself, a terminate message. */
  takeAtOnce(received: Received): void;
}

/** Messages that are held at most before reading stops, unless answers are waited for. */
const held = 64;

/** Reads for a service. */
export class Intake {
  readonly #port: IntakePort;
  readonly #stop = new AbortController();
  #state: 'waiting' | 'open' | 'over' = 'waiting';
  #held: Received[] = [];
  #taking = false;
  #wake: (() => void) | undefined;

  constructor(port: IntakePort) {
    this.#port = port;
  }

  /** Reads until closed. Rejects when there is nothing left to read from. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        if (this.#mayRead()) await this.#read(signal);
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Work is taken from now on. */
  open(): void {
    if (this.#state === 'waiting') this.#state = 'open';
    this.changed();
  }

  /** No more work is taken; what is held is dropped, and its senders see the service go. */
  end(): void {
    this.#state = 'over';
    this.#held = [];
  }

  /** There may be room for work, or a reason to read. */
  changed(): void {
    if (this.#held.length > 0) this.#takeHeld();
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when everything that was there at the call has been sorted, or no answer is waited for any more. */
  async caughtUp(): Promise<void> {
    // While answers are waited for it reads by itself.
    while (this.#port.requests.open > 0 && (await this.#port.client.haveReadyMessages())) await nextTurn();
    // What was taken from the inbox last is sorted within a turn.
    await nextTurn();
  }

  /** Stops reading, for good. */
  close(): void {
    this.end();
    this.#stop.abort();
    this.changed();
  }

  #mayRead(): boolean {
    if (this.#port.requests.open > 0) return true;
    return this.#state === 'open' && (this.#held.length < held || this.#port.room() > 0);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const limit = Math.max(held, Math.min(this.#port.room(), 4096));
    for (const message of await this.#port.client.getMessages({ signal, limit })) {
      if (this.#state === 'over' && message.isTerminate) continue;
      this.#sort({ message, meaning: readContent(message.content) });
    }
  }

  #sort(received: Received): void {
    const { message, meaning } = received;
    if (meaning?.kind === 'cancel' && this.#withdraw(message.from, meaning.id)) return;
    const isWork = !message.isTerminate && (meaning === undefined || meaning.kind === 'request');
    if (!isWork) {
      this.#port.takeAtOnce(received);
    } else if (this.#state === 'over') {
      // Nobody deals with it any more, as with what is still unread at the end.
    } else if (this.#state === 'open' && this.#held.length === 0 && this.#port.room() > 0) {
      this.#port.take(received);
    } else {
      this.#held.push(received);
    }
  }

  #takeHeld(): void {
    // What is taken may be done with at once, which makes room: that is noticed by this loop, not by one within it.
    if (this.#taking) return;
    this.#taking = true;
    while (this.#state === 'open' && this.#port.room() > 0) {
      const next = this.#held.shift();
      if (next === undefined) break;
      this.#port.take(next);
    }
    this.#taking = false;
  }

  /** A request that is taken back before it was taken in hand. */
  #withdraw(from: string, id: string): boolean {
    const at = this.#held.findIndex(
      ({ message, meaning }) => meaning?.kind === 'request' && meaning.id === id && message.from === from,
    );
    if (at === -1) return false;
    this.#held.splice(at, 1);
    return true;
  }
}
