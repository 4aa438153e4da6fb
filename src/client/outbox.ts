/**
 * One ordered outbox per peer.
 *
 * States: idle; `tick`, after a send that went out at once, until the microtask that flushes what followed it in the same
 * tick; `busy`, while the protocol works on a batch or waits for room. Only an idle outbox sends at once, everything else
 * queues behind, so the order of the calls is the order of the messages whether anybody awaits them or not.
 */
import { IpcError } from '../errors.ts';
import type { Awaitable, Delivery, Outgoing } from '../protocol/protocol.ts';
import type { MessageWriter } from '../serializers/serializer.ts';
import { nobody, type Packet } from './packet.ts';

/** Bytes per call of the protocol: enough to fill a pipe, little enough to keep the event loop turning. */
const batchBytes = 1 << 20;
/** Messages per call of the protocol. */
const mostMessages = 1024;
/** The same where the last call took few: to offer a thousand each time to who takes eleven costs more than the eleven. */
const leastMessages = 32;
/**
 * Messages, or bytes, of a tick that are handed over before its end, where the protocol reaches the receiver without a store
 * between: who reads them works while the rest is made. Of two who ask and answer in bursts one would otherwise always wait. After
 * each time it takes twice as many, so that a long burst is still handed over in few pieces.
 */
const [eagerMessages, eagerBytes] = [8, 64 * 1024];
/** Times in a tick: what is done for a message when it has been taken waits for the tick to end, and would heap up. */
const mostEager = 16;

/** What an outbox needs from its client. */
export interface OutboxPort {
  readonly client: string;
  /** Messages of more bytes than this in one outbox are refused. */
  readonly limit: number;
  /** A transaction, or whatever else a call of `deliver` costs, is not worth saving: hand over early. */
  readonly eager: boolean;
  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery>;
  /** So many messages are with the store or the kernel. */
  sent(peer: string, messages: number): void;
  /** The outbox holds nothing any more. */
  idle(outbox: Outbox): void;
}

const done = Promise.resolve();

/** The functions of the promise made last: one function for all promises instead of one for each. */
let resolveLast: () => void;
let rejectLast: (error: unknown) => void;
const keepFunctions = (resolve: () => void, reject: (error: unknown) => void): void => {
  resolveLast = resolve;
  rejectLast = reject;
};

function refuse(packet: Packet, error: Error): Promise<void> {
  if (packet.resolve === nobody) return Promise.reject(error);
  packet.reject(error);
  return done;
}

/** The messages on their way to one peer. */
export class Outbox {
  readonly peer: string;
  /** Writes the messages to this peer, where the serializer has something for it. */
  readonly writer: MessageWriter | undefined;
  /** Bytes of the messages that wait here. */
  bytes = 0;
  readonly #port: OutboxPort;
  /** Those that wait begin at `#head`. */
  #queue: Packet[] = [];
  #head = 0;
  #window = mostMessages;
  /** How often this tick may still hand over before its end, and how many messages have to wait for that. */
  #eager = 0;
  #eagerMessages = eagerMessages;
  #state: 'idle' | 'tick' | 'busy' = 'idle';
  #closed: IpcError | undefined;
  #isSettling = false;
  /** Resolves when what was handed over last has its outcome. */
  #underway: Promise<void> | undefined;
  readonly #flushTick = (): void => {
    if (this.#state === 'tick') this.#flush('idle');
  };

  constructor(peer: string, port: OutboxPort, writer?: MessageWriter) {
    this.peer = peer;
    this.#port = port;
    this.writer = writer;
  }

  /** Number of messages that wait here. */
  get length(): number {
    return this.#queue.length - this.#head;
  }

  /**
   * Takes a message; resolves when the store or the kernel has it. Where the packet has somebody who waits for it already he is
   * told instead, perhaps within this call, and what is returned says nothing.
   */
  send(packet: Packet): Promise<void> {
    if (this.#closed !== undefined) return refuse(packet, this.#closed);
    if (this.#state === 'idle') {
      let delivery: Awaitable<Delivery>;
      try {
        delivery = this.#port.deliver(this.peer, [packet]);
      } catch (error) {
        this.#port.idle(this);
        return refuse(packet, error instanceof Error ? error : new Error(String(error)));
      }
      if (!(delivery instanceof Promise) && delivery.taken === 1) {
        packet.taken();
        this.#port.sent(this.peer, 1);
        this.#state = 'tick';
        this.#eager = this.#port.eager ? mostEager : 0;
        this.#eagerMessages = eagerMessages;
        queueMicrotask(this.#flushTick);
        return done;
      }
      this.#state = 'busy';
      const promise = this.#enqueue(packet);
      this.#settle(delivery, 1);
      return promise;
    }
    if (this.bytes + packet.size > this.#port.limit && this.length > 0) {
      return refuse(
        packet,
        new IpcError(
          'IPCM_OUTBOX_FULL',
          `sendMessage from "${this.#port.client}": ${this.bytes} bytes wait already for "${this.peer}", which does not ` +
            `read; await each send, use trySendMessage, or raise outboxLimit (${this.#port.limit} bytes)`,
          { client: this.#port.client, peer: this.peer },
        ),
      );
    }
    const promise = this.#enqueue(packet);
    if (this.#state === 'tick' && this.#eager > 0 && this.#isMuch) {
      this.#eager--;
      this.#eagerMessages *= 2;
      this.#flush('tick');
    }
    return promise;
  }

  get #isMuch(): boolean {
    return this.length >= this.#eagerMessages || this.bytes >= eagerBytes;
  }

  /** Hands over nothing more; resolves when it is known what became of what is on its way. */
  settle(): Promise<void> {
    this.#isSettling = true;
    return this.#underway ?? done;
  }

  /** Rejects everything that waits, and everything that comes. Returns how many messages it dropped. */
  close(error: IpcError): number {
    this.#closed = error;
    return this.#rejectAll(error);
  }

  #enqueue(packet: Packet): Promise<void> {
    this.bytes += packet.size;
    this.#queue.push(packet);
    if (packet.resolve !== nobody) return done;
    const promise = new Promise<void>(keepFunctions);
    packet.resolve = resolveLast;
    packet.reject = rejectLast;
    return promise;
  }

  /** Hands over what waits; with nothing left it is in the state `after`. */
  #flush(after: 'idle' | 'tick'): void {
    for (;;) {
      if (this.length === 0) {
        this.#state = after;
        if (after === 'idle') this.#port.idle(this);
        return;
      }
      if (this.#isSettling) return;
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
      this.#window = mostMessages;
      this.#taken(delivery.taken);
    }
  }

  /** Deals with a delivery that is not simply complete, then goes on with the rest. */
  #settle(delivery: Awaitable<Delivery>, offered: number): void {
    this.#underway = this.#outcome(delivery, offered).then(
      () => this.#flush('idle'),
      (error: unknown) => {
        this.#rejectAll(error);
        this.#flush('idle');
      },
    );
  }

  async #outcome(pending: Awaitable<Delivery>, offered: number): Promise<void> {
    const delivery = pending instanceof Promise ? await pending : pending;
    this.#window = delivery.taken < offered ? Math.max(leastMessages, 2 * delivery.taken) : mostMessages;
    this.#taken(delivery.taken);
    if (delivery.error !== undefined && delivery.taken < offered) this.#drop(delivery.error);
    if (delivery.blocked !== undefined) await delivery.blocked;
  }

  #taken(count: number): void {
    // Fewer than that may wait here by now, where the outbox was closed over a delivery.
    const end = Math.min(this.#head + count, this.#queue.length);
    const taken = end - this.#head;
    if (taken === 0) return;
    for (let index = this.#head; index < end; index++) {
      const packet = this.#queue[index];
      if (packet === undefined) continue;
      this.bytes -= packet.size;
      packet.taken();
    }
    this.#advance(end);
    this.#port.sent(this.peer, taken);
  }

  /** Those before `head` have gone. They stay in the array until it is worth the moving. */
  #advance(head: number): void {
    if (head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (head > mostMessages && head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(head);
      this.#head = 0;
    } else {
      this.#head = head;
    }
  }

  #drop(error: IpcError): void {
    const packet = this.#queue[this.#head];
    if (packet === undefined) return;
    this.bytes -= packet.size;
    this.#advance(this.#head + 1);
    packet.reject(error);
  }

  #rejectAll(error: unknown): number {
    const dropped = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    this.bytes = 0;
    for (const packet of dropped) packet.reject(error);
    return dropped.length;
  }

  #nextBatch(): readonly Packet[] {
    const most = Math.min(this.length, this.#window);
    let bytes = 0;
    let count = 0;
    for (; count < most; count++) {
      bytes += this.#queue[this.#head + count]?.size ?? 0;
      if (count > 0 && bytes > batchBytes) break;
    }
    return this.#queue.slice(this.#head, this.#head + count);
  }
}
