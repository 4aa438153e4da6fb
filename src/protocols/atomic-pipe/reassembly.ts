/**
 * Puts the parts of long messages together again. Parts of one message come in order; those of other writers may come in
 * between, so each writer, told by pid and tid, has a message of its own in the making.
 *
 * A writer may die in the midst of one, or lie. So memory is taken only for bytes that have come, never past the limit; the
 * number of messages in the making is bounded, and so is their sum; and one whose writer is dead is dropped, once the
 * pipe has been empty after the death: the rest of it may have been in there.
 */
import { isAlive } from '../../liveness/alive.ts';

/** Messages in the making at most; the one that has waited longest goes first. */
const mostHalves = 1024;

/** Bytes in the making at most, in messages of the largest size. */
const mostLarge = 8;

/** A writer that has not gone on for so long is asked after, in milliseconds, each time. */
const doubt = 1000;

/** A half message that has not grown for so long does not count as on its way any more, in milliseconds. */
const unfinished = 30_000;

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
  /** Undefined where it is over the limit and only skipped. */
  bytes: Buffer | undefined;
  length: number;
  /** When it last grew, or its writer was last asked after. */
  at: number;
  grownAt: number;
  /** Its writer has died; it goes when the pipe is empty next. */
  doomed: boolean;
}

const none = Buffer.alloc(0);

/** As much is taken at once on the word of a message's first part. */
const trusted = 1024 * 1024;

/** Buffers of messages that have been dealt with, for the next ones: a fresh one costs more than to fill it. */
const spares: Buffer[] = [];
const mostSpares = 4;
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
  readonly #halves = new Map<string, Half>();
  #sum = 0;
  /** Of the messages that were returned and may still be in use. */
  #lent: Buffer[] = [];

  constructor(limit: number, hooks: ReassemblyHooks) {
    this.#limit = limit;
    this.#hooks = hooks;
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
      this.#drop(key, half, 'its writer began another one');
      half = undefined;
    }
    if (half === undefined) {
      if (part === 0) return this.#single(pid, data);
      half = { pid, expected: part, bytes: none, length: 0, at: 0, grownAt: 0, doomed: false };
      this.#makeRoom(this.#halves.size >= mostHalves, key);
      this.#halves.set(key, half);
    }
    this.#grow(half, data);
    if (half.bytes !== undefined && this.#sum > mostLarge * this.#limit) this.#makeRoom(true, key);
    if (part > 0) {
      half.expected = part - 1;
      half.at = half.grownAt = performance.now();
      return undefined;
    }
    this.#halves.delete(key);
    if (half.bytes === undefined) return undefined;
    this.#sum -= half.bytes.length;
    this.#lent.push(half.bytes);
    return half.bytes.subarray(0, half.length);
  }

  /** To be called when the pipe is empty. */
  emptied(): void {
    if (this.#halves.size === 0) return;
    const now = performance.now();
    for (const [key, half] of this.#halves) {
      if (half.doomed) this.#drop(key, half, 'its writer has died');
      else if (now - half.at > doubt) this.#judge(half, now);
    }
  }

  /** True while a message is on its way whose writer lives. */
  incomplete(): boolean {
    const now = performance.now();
    let found = false;
    for (const half of this.#halves.values()) {
      this.#judge(half, now);
      if (!half.doomed && half.bytes !== undefined && now - half.grownAt < unfinished) found = true;
    }
    return found;
  }

  #judge(half: Half, now: number): void {
    half.at = now;
    half.doomed = !isAlive({ pid: half.pid, start: undefined, boot: undefined, namespace: undefined });
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
      this.#sum -= half.bytes.length;
      half.bytes = undefined;
      this.#hooks.tooLarge(half.pid);
      return;
    }
    if (length > half.bytes.length) {
      // What the number of parts promises is believed only as far as what has come.
      const promised = length + half.expected * data.length;
      const size = Math.max(length, Math.min(promised, Math.max(4 * length, trusted), this.#limit));
      const larger = bufferOf(size);
      larger.set(half.bytes.subarray(0, half.length));
      this.#sum += larger.length - half.bytes.length;
      giveBack(half.bytes);
      half.bytes = larger;
    }
    half.bytes.set(data, half.length);
    half.length = length;
  }

  /** Drops the half message that has waited longest, but for the one of `keep`. */
  #makeRoom(isNeeded: boolean, keep: string): void {
    if (!isNeeded) return;
    let oldest: [string, Half] | undefined;
    for (const entry of this.#halves) {
      if (entry[0] !== keep && (oldest === undefined || entry[1].grownAt < oldest[1].grownAt)) oldest = entry;
    }
    if (oldest !== undefined) this.#drop(...oldest, 'too many are in the making');
  }

  #drop(key: string, half: Half, why: string): void {
    this.#halves.delete(key);
    if (half.bytes === undefined) return;
    this.#sum -= half.bytes.length;
    this.#hooks.torn(half.pid, half.length, why);
  }
}
