/**
 * One ordered outbox per peer.
 *
 * States: idle; `tick`, after a send that went out at once, until the microtask that flushes what followed it in the same
 * tick; `busy`, while the protocol works on a batch or waits for room. Only an idle outbox sends at once, everything else
 * queues behind, so the order of the calls is the order of the messages whether anybody awaits them or not.
 */
import { IpcError } from '../errors.ts';
import type { Awaitable, Delivery, Outgoing } from '../protocol/protocol.ts';

/** Bytes per call of the protocol: enough to fill a pipe, little enough to keep the event loop turning. */
const batchBytes = 1 << 20;
/** Messages per call of the protocol. */
const batchMessages = 1024;

/** What an outbox needs from its client. */
export interface OutboxPort {
  readonly client: string;
  /** Messages of more bytes than this in one outbox are refused. */
  readonly limit: number;
  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery>;
  /** A message is with the store or the kernel. */
  sent(peer: string): void;
  /** The outbox holds nothing any more. */
  idle(outbox: Outbox): void;
}

interface Waiting {
  readonly outgoing: Outgoing;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const done = Promise.resolve();

/** The messages on their way to one peer. */
export class Outbox {
  readonly peer: string;
  /** Bytes of the messages that wait here. */
  bytes = 0;
  readonly #port: OutboxPort;
  #queue: Waiting[] = [];
  #state: 'idle' | 'tick' | 'busy' = 'idle';
  #closed: IpcError | undefined;

  constructor(peer: string, port: OutboxPort) {
    this.peer = peer;
    this.#port = port;
  }

  /** Number of messages that wait here. */
  get length(): number {
    return this.#queue.length;
  }

  /** Takes a message; resolves when the store or the kernel has it. */
  send(outgoing: Outgoing): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#state === 'idle') {
      let delivery: Awaitable<Delivery>;
      try {
        delivery = this.#port.deliver(this.peer, [outgoing]);
      } catch (error) {
        this.#port.idle(this);
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (!(delivery instanceof Promise) && delivery.taken === 1) {
        this.#port.sent(this.peer);
        this.#state = 'tick';
        queueMicrotask(() => this.#flush());
        return done;
      }
      this.#state = 'busy';
      const promise = this.#enqueue(outgoing);
      this.#settle(delivery, 1);
      return promise;
    }
    if (this.bytes + outgoing.bytes.length > this.#port.limit && this.#queue.length > 0) {
      return Promise.reject(
        new IpcError(
          'IPCM_OUTBOX_FULL',
          `sendMessage from "${this.#port.client}": ${this.bytes} bytes wait already for "${this.peer}", which does not ` +
            `read; await each send, use trySendMessage, or raise outboxLimit (${this.#port.limit} bytes)`,
          { client: this.#port.client, peer: this.peer },
        ),
      );
    }
    return this.#enqueue(outgoing);
  }

  /** Rejects everything that waits, and everything that comes. Returns how many messages it dropped. */
  close(error: IpcError): number {
    this.#closed = error;
    return this.#rejectAll(error);
  }

  #enqueue(outgoing: Outgoing): Promise<void> {
    this.bytes += outgoing.bytes.length;
    return new Promise((resolve, reject) => this.#queue.push({ outgoing, resolve, reject }));
  }

  #flush(): void {
    for (;;) {
      if (this.#queue.length === 0) {
        this.#state = 'idle';
        this.#port.idle(this);
        return;
      }
      this.#state = 'busy';
      const batch = this.#nextBatch();
      let delivery: Awaitable<Delivery>;
      try {
        delivery = this.#port.deliver(this.peer, batch);
      } catch (error) {
        this.#rejectAll(error);
        continue;
      }
      if (delivery instanceof Promise || delivery.taken < batch.length) {
        this.#settle(delivery, batch.length);
        return;
      }
      this.#taken(delivery.taken);
    }
  }

  /** Deals with a delivery that is not simply complete, then goes on with the rest. */
  #settle(delivery: Awaitable<Delivery>, offered: number): void {
    this.#outcome(delivery, offered).then(
      () => this.#flush(),
      (error: unknown) => {
        this.#rejectAll(error);
        this.#flush();
      },
    );
  }

  async #outcome(pending: Awaitable<Delivery>, offered: number): Promise<void> {
    const delivery = pending instanceof Promise ? await pending : pending;
    this.#taken(delivery.taken);
    if (delivery.error !== undefined && delivery.taken < offered) this.#drop(delivery.error);
    if (delivery.blocked !== undefined) await delivery.blocked;
  }

  #taken(count: number): void {
    for (const { outgoing, resolve } of this.#queue.splice(0, count)) {
      this.bytes -= outgoing.bytes.length;
      this.#port.sent(this.peer);
      resolve();
    }
  }

  #drop(error: IpcError): void {
    const head = this.#queue.shift();
    if (head === undefined) return;
    this.bytes -= head.outgoing.bytes.length;
    head.reject(error);
  }

  #rejectAll(error: unknown): number {
    const dropped = this.#queue;
    this.#queue = [];
    this.bytes = 0;
    for (const { reject } of dropped) reject(error);
    return dropped.length;
  }

  #nextBatch(): Outgoing[] {
    const batch: Outgoing[] = [];
    let bytes = 0;
    for (const { outgoing } of this.#queue) {
      if (batch.length > 0 && (batch.length >= batchMessages || bytes + outgoing.bytes.length > batchBytes)) break;
      batch.push(outgoing);
      bytes += outgoing.bytes.length;
    }
    return batch;
  }
}
