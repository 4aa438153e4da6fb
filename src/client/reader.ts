/** The receiving half of a client: looks, waits, hands out and counts what it handed out. */
import { setImmediate } from 'node:timers/promises';
import { receiving } from '../diagnostics/channels.ts';
import type { Message } from '../message/message.ts';
import { count } from '../protocol/stats.ts';
import type { Awaitable, ReceiveLimit } from '../protocol/protocol.ts';
import type { Stats } from '../protocol/stats.ts';
import { Arrival, deadlineOf, type WaitOptions } from './arrival.ts';
import { Inbox, type InboxPort } from './inbox.ts';

/** How `messages` reads. */
export interface IterateOptions extends WaitOptions {
  /** Hand out the terminate message too and go on after it. Default false: it ends the loop. */
  readonly terminate?: boolean | undefined;
}

/** How `get` waits. */
export interface GetWait extends WaitOptions {
  /** False: the wait does not keep the process alive. Default true. */
  readonly ref?: boolean | undefined;
}

/** What a reader is made of. */
export interface ReaderParts extends InboxPort {
  readonly stats: Stats;
}

/** Bytes that one look at the store may bring. */
const sliceBytes = 16 * 1024 * 1024;
/** Messages per look of a loop: few enough that a loop which ends leaves little to put back. */
const loopSlice: ReceiveLimit = { messages: 256, bytes: sliceBytes };

const done = Promise.resolve();

const loopSliceHinted: ReceiveLimit = { ...loopSlice, hinted: true };

/** The same for a look that a wait follows. */
function hinted(limit: ReceiveLimit): ReceiveLimit {
  return limit === loopSlice ? loopSliceHinted : { ...limit, hinted: true };
}

/** Messages that a handler which returns at once gets before promises of others have their turn. */
const mostAtOnce = 16;

/** Milliseconds of reading after which the event loop gets its turn. */
const longestTurn = 5;

/** The reader of a client. */
export class Reader {
  readonly inbox: Inbox;
  readonly #parts: ReaderParts;
  readonly #arrival: Arrival;
  #loops = 0;
  /** When the event loop last had its turn, for all we know. */
  #turn = 0;
  #closed = false;
  readonly #shift = (): Message | undefined => this.inbox.shift();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.inbox = new Inbox(parts);
    this.#arrival = new Arrival((wake) => parts.connection.watchInbox(wake), parts.connection.lookAgain);
  }

  /** True while somebody loops or waits. */
  get busy(): boolean {
    return this.#loops > 0 || this.#arrival.waiting > 0;
  }

  /** What is there; with a timeout or a signal, waits for the first. */
  async get(messages: number, options: GetWait): Promise<Message[]> {
    const limit = { messages, bytes: sliceBytes };
    const mayWait = options.timeout !== undefined || options.signal !== undefined;
    const take = (): Message[] => this.inbox.take(messages);
    const some = (): Message[] | undefined => (this.inbox.buffered > 0 ? take() : undefined);
    if (!mayWait) await this.#look(limit);
    const batch = mayWait ? ((await this.#first(some, limit, options)) ?? []) : take();
    for (const message of batch) this.#handedOut(message);
    return batch;
  }

  /** What comes, until closed, timed out or terminated. */
  async *loop(options: IterateOptions): AsyncGenerator<Message, void, void> {
    this.#loops++;
    try {
      while (!this.#closed) {
        options.signal?.throwIfAborted();
        const message = this.inbox.shift() ?? (await this.#first(this.#shift, loopSlice, options));
        if (message === undefined || this.#isLast(message, options)) return;
        yield message;
      }
    } finally {
      this.#loops--;
    }
  }

  /** The same to a handler, in half the time: nothing is promised where a handler returns at once. */
  async each(handler: (message: Message) => void | Promise<void>, options: IterateOptions): Promise<void> {
    let atOnce = 0;
    this.#loops++;
    try {
      while (!this.#closed) {
        options.signal?.throwIfAborted();
        const message = this.inbox.shift() ?? (await this.#first(this.#shift, loopSlice, options));
        if (message === undefined || this.#isLast(message, options)) return;
        const handled = handler(message);
        if (handled !== undefined || ++atOnce % mostAtOnce === 0) await handled;
      }
    } finally {
      this.#loops--;
    }
  }

  /** Lets somebody look again who waits. */
  wake(): void {
    this.#arrival.wake();
  }

  /** Ends all loops and waits. */
  close(): void {
    this.#closed = true;
    this.#arrival.close();
  }

  /**
   * What `take` finds in the buffer, once there is something; undefined at the timeout and when closed. The buffer is filled
   * and emptied in one step each, so that of two who wait at once none hands out what comes later before what came first.
   */
  async #first<T>(take: () => T | undefined, limit: ReceiveLimit, options: GetWait): Promise<T | undefined> {
    const buffered = take();
    if (buffered !== undefined) return buffered;
    const deadline = deadlineOf(options.timeout);
    options.signal?.throwIfAborted();
    this.#arrival.listen();
    const quick = hinted(limit);
    let over = false;
    while (!this.#closed) {
      const looked = this.#look(over ? limit : quick);
      if (looked !== undefined) await looked;
      const found = take();
      if (found !== undefined || over) return found;
      // What was queued before this wait, sends above all, has its turn first.
      await done;
      if (this.#parts.connection.spin?.() === true) continue;
      // Where the event loop was busy past the deadline a message may have come in time: one last look tells.
      over = !(await this.#arrival.wait(deadline, options.signal, options.ref));
      this.#turn = performance.now();
    }
    return undefined;
  }

  /**
   * Protocols that answer at once would let a loop over a backlog run on microtasks alone, and no timer, signal or socket of
   * the process would get its turn: so the event loop is let go round every few milliseconds.
   */
  #look(limit: ReceiveLimit): Awaitable<void> {
    if (performance.now() - this.#turn > longestTurn) return this.#turnAndLook(limit);
    this.#arrival.looking();
    return this.inbox.fill(limit);
  }

  async #turnAndLook(limit: ReceiveLimit): Promise<void> {
    await setImmediate();
    this.#turn = performance.now();
    // Left meanwhile: what is still there is accounted for by the disconnect.
    if (this.#closed) return;
    this.#arrival.looking();
    await this.inbox.fill(limit);
  }

  /** True for the message at which a loop ends. */
  #isLast(message: Message, options: IterateOptions): boolean {
    this.#handedOut(message);
    return message.isTerminate && options.terminate !== true;
  }

  #handedOut(message: Message): void {
    count(this.#parts.stats.read, message.from, 1);
    if (receiving.hasSubscribers) receiving.publish({ client: this.#parts.id, message });
  }
}
