/**
 * How a reader waits: for a hint, for the slow look that makes up for a lost one, for its deadline or its signal.
 *
 * A hint that comes while nobody waits is remembered, so that none is lost between a look that found nothing and the
 * wait that follows it. While somebody waits a timer holds the process, unless told not to; an idle client does not.
 */

/** How a wait may end early. */
export interface WaitOptions {
  /** Milliseconds to wait at most; for ever if left out. */
  readonly timeout?: number | undefined;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between looks without a hint, unless told otherwise. */
const defaultLookAgain = 250;

/** Milliseconds of the longest timer that Node has: it makes one millisecond of a longer one. */
export const longestTimer = 2 ** 31 - 1;

interface Waiter {
  readonly signal: AbortSignal | undefined;
  wake(): void;
  abort(): void;
}

/** Hints about one source, and those who wait for them. */
export class Arrival {
  readonly #watch: (wake: () => void) => () => void;
  readonly #lookAgain: number;
  readonly #waiters = new Set<Waiter>();
  /** Waiters that hold the process. */
  #holding = 0;
  #stop: (() => void) | undefined;
  /** The signal that is listened to: mostly the same for each wait, and to listen anew for each costs more than the rest of it. */
  #signal: AbortSignal | undefined;
  readonly #aborted = (): void => {
    for (const waiter of this.#waiters) if (waiter.signal === this.#signal) waiter.abort();
  };
  #hinted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(watch: (wake: () => void) => () => void, lookAgain: number = defaultLookAgain) {
    this.#watch = watch;
    this.#lookAgain = lookAgain;
  }

  /** Number of callers that wait now. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Starts to listen for hints; to be called before the first look of a caller who will wait. */
  listen(): void {
    this.#stop ??= this.#watch(() => this.wake());
  }

  /** To be called before each look: what is hinted from here on is news. */
  looking(): void {
    this.#hinted = false;
  }

  /** Wakes everybody who waits, or the next one to come. */
  wake(): void {
    this.#hinted = true;
    for (const waiter of this.#waiters) waiter.wake();
  }

  /** Stops listening, for good. */
  close(): void {
    this.#stop?.();
    this.#stop = () => undefined;
    clearInterval(this.#timer);
    this.wake();
    this.#obey(undefined);
  }

  /** Resolves to true when it is worth looking again, to false at the deadline (of `deadlineOf`). */
  wait(deadline: number, signal: AbortSignal | undefined, holds = true): Promise<boolean> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#hinted) return Promise.resolve(true);
    const left = deadline - performance.now();
    if (left <= 0) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        if (!isHeard) signal?.removeEventListener('abort', waiter.abort);
        if (holds && --this.#holding === 0) this.#timer?.unref();
      };
      const waiter = {
        signal,
        wake: () => {
          end();
          resolve(true);
        },
        abort: () => {
          end();
          reject(signal?.reason as Error);
        },
      };
      const expire = (): void => {
        end();
        resolve(false);
      };
      // The loop around comes back here anyway.
      const timer = left <= longestTimer ? setTimeout(expire, left) : undefined;
      const isHeard = this.#obey(signal);
      if (!isHeard) signal?.addEventListener('abort', waiter.abort, { once: true });
      this.#waiters.add(waiter);
      this.#timer ??= setInterval(() => this.wake(), this.#lookAgain).unref();
      if (!holds) timer?.unref();
      else if (++this.#holding === 1) this.#timer.ref();
    });
  }

  /** Listens to a signal from now on, and to no other; false where somebody waits who has another one. */
  #obey(signal: AbortSignal | undefined): boolean {
    if (signal === this.#signal) return true;
    for (const waiter of this.#waiters) if (waiter.signal !== undefined) return false;
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.#signal = signal;
    signal?.addEventListener('abort', this.#aborted);
    return true;
  }
}

/** The moment, on `performance.now()`'s clock, at which a timeout in milliseconds is over. */
export function deadlineOf(timeout: number | undefined): number {
  if (timeout === undefined) return Number.POSITIVE_INFINITY;
  if (typeof timeout !== 'number' || Number.isNaN(timeout)) {
    throw new TypeError(`timeout is a number of milliseconds, not ${String(timeout)}`);
  }
  return performance.now() + timeout;
}
