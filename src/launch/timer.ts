/** Timers of any length: one of Node's that is longer than 2^31 ms, some 25 days, or `Infinity`, runs out after 1 ms. */

import { longestTimer } from '../client/arrival.ts';

/** A timer of any length; that of `Infinity` never runs out. It holds the process, as Node's does, until told otherwise. */
export class Timer {
  readonly #callback: () => void;
  #left: number;
  #timer: NodeJS.Timeout;

  /** Calls `callback` after so many milliseconds. */
  constructor(callback: () => void, milliseconds: number) {
    this.#callback = callback;
    this.#left = milliseconds;
    this.#timer = this.#next();
  }

  /** It does not hold the process any more. */
  unref(): this {
    this.#timer.unref();
    return this;
  }

  /** It will not run out any more. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #next(): NodeJS.Timeout {
    const next = Math.min(this.#left, longestTimer);
    this.#left -= next;
    return setTimeout(() => this.#over(), next);
  }

  #over(): void {
    if (!(this.#left > 0)) {
      this.#callback();
      return;
    }
    const isHolding = this.#timer.hasRef();
    this.#timer = this.#next();
    if (!isHolding) this.#timer.unref();
  }
}

/** Resolves to true when the promise has been fulfilled, to false after so many milliseconds; the wait holds the process. */
export async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: Timer | undefined;
  const late = new Promise<false>((resolve) => (timer = new Timer(() => resolve(false), milliseconds)));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    timer?.clear();
  }
}
