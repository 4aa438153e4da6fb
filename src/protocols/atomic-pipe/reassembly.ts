/**
 * Puts the parts of long messages together again. Parts of one message come in order; those of other writers may come in
 * between, so each writer, told by pid and tid, has a message of its own in the making.
 *
 * A writer may die in the midst of one, give up, or lie. So memory is taken in step with what has come, never past the limit,
 * and the number of messages in the making is bounded. One whose writer is dead is dropped, once the pipe has been empty after
 * the death: the rest of it may have been in there. One that has not grown for long is dropped as well, unless its writer
 * is stopped. Where much is in the making, such are looked for at once; those that come on are never touched: their senders
 * may have been told that they have arrived.
 */
import { isAlive } from '../../liveness/alive.ts';
import { readProcStat } from '../../liveness/identity.ts';

/** Messages in the making at most; where all of them come on, the one that has waited longest goes. */
const mostHalves = 1024;

/** Much is in the making: more than so many messages of the largest size, and more than so many bytes. */
const mostLarge = 8;
const mostBytes = 512 * 1024 * 1024;

/** A writer that has not gone on for so long is asked after, in milliseconds, each time. */
const doubt = 1000;

/** A message that has not grown for so long is given up, in milliseconds. */
const longestPause = 30_000;

/** What is told about messages that do not come about. */
export interface ReassemblyHooks {
  /** Longer than the limit: the rest of it is skipped. */
  tooLarge(pid: number): void;
  /** Given up with so many bytes there. */
  torn(pid: number, bytes: number, why: string): void;
}

interface Half {
  readonly pid: number;
  /** Number of the part to come. */
  expected: number;
  /** Undefined where it is over the limit or was given up: what still comes of it is skipped. */
  bytes: Buffer | undefined;
  length: number;
  /** When it last grew, or its writer was last asked after. */
  at: number;
  grownAt: number;
  /** Its writer has died; it goes when the pipe is empty next. */
  doomed: boolean;
}

const none = Buffer.alloc(0);

const writerDied = 'its writer has died';
const writerPaused = 'its writer has not gone on for long';

/** Buffers of messages that have been dealt with, for the next ones: a fresh one costs more than to fill it. */
const spares: Buffer[] = [];
const mostSpares = 4;
/** As much is taken at once on the word of a message's first part. */
const largestSpare = 256 * 1024;

function bufferOf(size: number): Buffer {
  const index = size > largestSpare ? -1 : spares.findIndex(({ length }) => length >= size);
  const [spare] = index < 0 ? [] : spares.splice(index, 1);
  return spare ?? Buffer.allocUnsafeSlow(size);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length > 0 && buffer.length <= largestSpare && spares.length < mostSpares) spares.push(buffer);
}

/** The messages of one pipe that are in the making. */
export class Reassembly {
  readonly #limit: number;
  readonly #hooks: ReassemblyHooks;
  readonly #longestPause: number;
  readonly #halves = new Map<string, Half>();
  /** Bytes in the making. */
  #sum = 0;
  #madeRoomAt = Number.NEGATIVE_INFINITY;
  /** Of the messages that were returned and may still be in use. */
  #lent: Buffer[] = [];

  constructor(limit: number, hooks: ReassemblyHooks, pause = longestPause) {
    this.#limit = limit;
    this.#hooks = hooks;
    this.#longestPause = pause;
  }

  /** What was returned is not needed any more. */
  recycle(): void {
    if (this.#lent.length === 0) return;
    for (const buffer of this.#lent) giveBack(buffer);
    this.#lent = [];
  }

  /**
   * Takes a part; returns the message if it was the last one, good until {@link recycle}. A message of one part is the data
   * itself, not a copy.
   */
  add(pid: number, tid: number, part: number, data: Uint8Array): Uint8Array | undefined {
    if (part === 0 && this.#halves.size === 0) return this.#single(pid, data);
    const key = `${pid}:${tid}`;
    let half = this.#halves.get(key);
    if (half !== undefined && half.expected !== part) {
      this.#giveUp(half, 'its writer began another one');
      this.#halves.delete(key);
      half = undefined;
    }
    if (half === undefined) {
      if (part === 0) return this.#single(pid, data);
      half = { pid, expected: part, bytes: none, length: 0, at: 0, grownAt: 0, doomed: false };
      if (this.#halves.size >= mostHalves) this.#removeOne();
      this.#halves.set(key, half);
    }
    this.#grow(half, data);
    if (part > 0) {
      half.expected = part - 1;
      half.at = half.grownAt = performance.now();
      if (this.#sum > mostBytes && this.#sum > mostLarge * this.#limit) this.#makeRoom(half.at);
      return undefined;
    }
    this.#halves.delete(key);
    if (half.bytes === undefined) return undefined;
    this.#sum -= half.length;
    this.#lent.push(half.bytes);
    return half.bytes.subarray(0, half.length);
  }

  /** To be called when the pipe is empty. */
  emptied(): void {
    if (this.#halves.size === 0) return;
    const now = performance.now();
    for (const [key, half] of this.#halves) {
      if (half.doomed) {
        this.#giveUp(half, writerDied);
        this.#halves.delete(key);
      } else if (now - half.at > Math.min(doubt, this.#longestPause)) {
        this.#judge(half, now);
        if (this.#isAbandoned(half, now)) this.#giveUp(half, writerPaused);
      }
    }
  }

  /** True while a message is here in part, whoever writes it. */
  get begun(): boolean {
    return this.#sum > 0;
  }

  /** True while a message is on its way whose writer lives. */
  incomplete(): boolean {
    const now = performance.now();
    let found = false;
    for (const half of this.#halves.values()) {
      this.#judge(half, now);
      if (!half.doomed && half.bytes !== undefined && now - half.grownAt < this.#longestPause) found = true;
    }
    return found;
  }

  #judge(half: Half, now: number): void {
    half.at = now;
    half.doomed = !isAlive({ pid: half.pid, start: undefined, boot: undefined, namespace: undefined });
  }

  /** True where its writer lives and could go on, but has not for long. */
  #isAbandoned({ doomed, bytes, grownAt, pid }: Half, now: number): boolean {
    if (doomed || bytes === undefined || now - grownAt <= this.#longestPause) return false;
    return readProcStat(pid)?.state.toUpperCase() !== 'T';
  }

  #single(pid: number, data: Uint8Array): Uint8Array | undefined {
    if (data.length <= this.#limit) return data;
    this.#hooks.tooLarge(pid);
    return undefined;
  }

  #grow(half: Half, data: Uint8Array): void {
    if (half.bytes === undefined) return;
    const length = half.length + data.length;
    if (length > this.#limit) {
      this.#sum -= half.length;
      half.bytes = undefined;
      this.#hooks.tooLarge(half.pid);
      return;
    }
    if (length > half.bytes.length) {
      // What the number of parts promises is believed only as far as what has come, or what one spare holds.
      const promised = length + half.expected * data.length;
      const size = Math.max(length, Math.min(promised, Math.max(4 * length, largestSpare), this.#limit));
      const larger = bufferOf(size);
      larger.set(half.bytes.subarray(0, half.length));
      giveBack(half.bytes);
      half.bytes = larger;
    }
    half.bytes.set(data, half.length);
    half.length = length;
    this.#sum += data.length;
  }

  /** Gives up what will hardly be ended, now and then. */
  #makeRoom(now: number): void {
    if (now - this.#madeRoomAt < doubt) return;
    this.#madeRoomAt = now;
    for (const half of this.#halves.values()) {
      if (now - half.at > doubt) this.#judge(half, now);
      if (half.doomed) this.#giveUp(half, writerDied);
      else if (this.#isAbandoned(half, now)) this.#giveUp(half, writerPaused);
    }
  }

  /** Forgets one message: one that was given up, or else the one that has waited longest. */
  #removeOne(): void {
    this.#makeRoom(performance.now());
    let oldest: [string, Half] | undefined;
    for (const entry of this.#halves) {
      if (oldest !== undefined && entry[1].bytes !== undefined && entry[1].grownAt >= oldest[1].grownAt) continue;
      oldest = entry;
      if (entry[1].bytes === undefined) break;
    }
    if (oldest === undefined) return;
    this.#giveUp(oldest[1], 'too many are in the making');
    this.#halves.delete(oldest[0]);
  }

  /** What still comes of it is no message: it is skipped. */
  #giveUp(half: Half, why: string): void {
    if (half.bytes === undefined) return;
    this.#sum -= half.length;
    giveBack(half.bytes);
    half.bytes = undefined;
    this.#hooks.torn(half.pid, half.length, why);
  }
}
