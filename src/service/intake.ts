/**
 * What comes to a service, read and sorted: what waits for no room - answers to its own requests, requests taken back,
 * questions about itself, the end - at once; requests as there is room for them; general messages one after the other, beside
 * the requests, since what they bring may be what a request in hand waits for.
 *
 * What cannot be taken in hand yet is held. With a few held nothing more is read, and the transport pushes back on the
 * senders. But while something in hand may wait for what has not been read - the answer to a request of the service's own, or
 * the message by which a handler that answers later gets to know the answer - everything is read: it would otherwise wait for
 * itself. There is an end to that too: when too much memory is held, requests are refused, and general messages are told to
 * have been left.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import type { Message } from '../message/message.ts';
import { Backlog, type Received } from './backlog.ts';
import type { Requests } from './requests.ts';
import { readContent, type ServiceContent } from './wire.ts';

type Meant<Kind> = Extract<ServiceContent, { readonly kind: Kind }>;

/** A request that has come. */
export type ReceivedRequest = Received<Meant<'request'>>;

/** What the intake needs of its service. */
export interface IntakePort {
  readonly client: Client;
  readonly requests: Requests;
  /** How many more requests may be taken in hand. */
  room(): number;
  /** What is in hand may wait for something that has not been read. */
  waits(): boolean;
  /** Takes a request in hand. */
  take(received: ReceivedRequest): void;
  /** Deals with a general message; resolves, whatever came of it, when it is the next one's turn. */
  deal(message: Message): Promise<void>;
  /** An answer, a request taken back, a question about the service itself, a terminate message. */
  takeAtOnce(received: Received): void;
  /** A request that will not be taken in hand. */
  refuse(received: ReceivedRequest, why: 'it is ending' | 'too many requests wait already'): void;
  /** Nobody waits for this any more. */
  drop(message: Message): void;
  /** There was no memory left for a general message. */
  leave(message: Message): void;
  /** No general message is in hand any more, and none waits for its turn. */
  idle(): void;
}

/** Requests that are held before reading stops, and general messages. */
const [mostRequests, mostGeneral] = [64, 1024];
/** Bytes that are held before reading stops. */
const fewBytes = 16 * 1024 * 1024;
/** Bytes that are held, where everything has to be read, before what comes is refused. */
const mostBytes = 64 * 1024 * 1024;

/** Reads for a service. */
export class Intake {
  readonly #port: IntakePort;
  readonly #stop = new AbortController();
  readonly #requests = new Backlog<ReceivedRequest>();
  readonly #general = new Backlog<Received<undefined>>();
  #state: 'waiting' | 'open' | 'over' | 'done' = 'waiting';
  #taking = false;
  #dealing = false;
  #wake: (() => void) | undefined;

  constructor(port: IntakePort) {
    this.#port = port;
  }

  /** True when no general message is in hand or waits for its turn. */
  get idle(): boolean {
    return !this.#dealing && this.#general.length === 0;
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

  /** No more requests are taken, and those that are held are refused. General messages are dealt with, if they ever were. */
  end(): void {
    if (this.#state === 'open') this.#state = 'over';
    else if (this.#state === 'waiting') this.#state = 'done';
    for (const request of this.#requests.clear()) this.#port.refuse(request, 'it is ending');
    this.#nextGeneral();
  }

  /** No more general messages are dealt with either. */
  finish(): void {
    this.#state = 'done';
  }

  /** There may be room for work, or a reason to read. */
  changed(): void {
    if (this.#requests.length > 0) this.#takeHeld();
    this.#nextGeneral();
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when everything that was there at the call has been sorted, or no answer is waited for any more. */
  async caughtUp(): Promise<void> {
    // While answers are waited for it reads by itself.
    while (this.#port.requests.open > 0 && (await this.#port.client.haveReadyMessages())) await sleep(1);
    // What was taken from the inbox last is sorted within a turn.
    await nextTurn();
  }

  /** Stops reading, for good. Returns the general messages that were read and not dealt with. */
  close(): Message[] {
    this.end();
    this.finish();
    this.#stop.abort();
    this.changed();
    return this.#general.clear().map(({ message }) => message);
  }

  get #bytes(): number {
    return this.#requests.bytes + this.#general.bytes;
  }

  #mayRead(): boolean {
    if (this.#port.waits()) return true;
    if (this.#state === 'over' || this.#state === 'done') return false;
    return this.#requests.length < mostRequests && this.#general.length < mostGeneral && this.#bytes < fewBytes;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const limit = Math.max(mostRequests, Math.min(this.#port.room(), 4096));
    for (const message of await this.#port.client.getMessages({ signal, limit })) this.#sort(message);
  }

  #sort(message: Message): void {
    const meaning = readContent(message.content);
    if (message.isTerminate) {
      if (this.#state === 'waiting' || this.#state === 'open') this.#port.takeAtOnce({ message, meaning });
      else this.#port.drop(message);
    } else if (meaning === undefined) {
      this.#sortGeneral({ message, meaning });
    } else if (meaning.kind === 'request') {
      this.#sortRequest({ message, meaning });
    } else if (meaning.kind === 'cancel' && this.#withdraw(message.from, meaning.id)) {
      this.#port.drop(message);
    } else {
      this.#port.takeAtOnce({ message, meaning });
    }
  }

  #sortRequest(request: ReceivedRequest): void {
    const isFull = (): boolean => this.#bytes >= mostBytes;
    if (this.#state === 'over' || this.#state === 'done') {
      this.#port.refuse(request, 'it is ending');
    } else if (this.#state === 'open' && this.#requests.length === 0 && this.#port.room() > 0) {
      this.#port.take(request);
    } else {
      if (isFull()) this.#dropLate();
      if (isFull()) this.#port.refuse(request, 'too many requests wait already');
      else this.#requests.push(request);
    }
  }

  #sortGeneral(received: Received<undefined>): void {
    if (this.#general.length === 0 && this.#mayDeal) this.#deal(received.message);
    else if (this.#bytes >= mostBytes) this.#port.leave(received.message);
    else this.#general.push(received);
  }

  #takeHeld(): void {
    // What is taken may be done with at once, which makes room: that is noticed by this loop, not by one within it.
    if (this.#taking) return;
    this.#taking = true;
    while (this.#state === 'open' && this.#port.room() > 0) {
      this.#dropLate();
      const next = this.#requests.shift();
      if (next === undefined) break;
      this.#port.take(next);
    }
    this.#taking = false;
  }

  /** Those at the head for which nobody waits any more. */
  #dropLate(): void {
    for (;;) {
      const { first } = this.#requests;
      const deadline = first?.meaning.deadline;
      if (first === undefined || deadline === undefined || deadline * 1000 > Date.now()) return;
      this.#requests.shift();
      this.#port.drop(first.message);
    }
  }

  get #mayDeal(): boolean {
    return !this.#dealing && (this.#state === 'open' || this.#state === 'over');
  }

  #nextGeneral(): void {
    if (!this.#mayDeal) return;
    const next = this.#general.shift();
    if (next !== undefined) this.#deal(next.message);
  }

  #deal(message: Message): void {
    this.#dealing = true;
    void this.#port.deal(message).then(() => {
      this.#dealing = false;
      this.changed();
      if (this.idle) this.#port.idle();
    });
  }

  /** A request that is taken back before it was taken in hand. */
  #withdraw(from: string, id: string): boolean {
    const request = this.#requests.remove(({ message, meaning }) => meaning.id === id && message.from === from);
    if (request === undefined) return false;
    this.#port.drop(request.message);
    return true;
  }
}
