/** Counts what arrives, checks that it is complete and in order, and notes how long it took. */
import { check, type Content } from '../contenders/contender.ts';

/** What the receiver makes of a run of messages. */
export interface Received {
  /** Messages per second, from the first to the last. */
  readonly rate: number;
  /** Microseconds of processor time since the run before. */
  readonly cpu: number;
}

/** Microseconds of processor time that this process has used, all its threads together. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export class Counter {
  #cpu = cpuTime();
  #count = 0;
  #first = 0;
  #last = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #complete: () => void = () => undefined;
  readonly #size: number;

  /** For messages of so many bytes of data. */
  constructor(size: number) {
    this.#size = size;
  }

  /** To be called for each message; one out of order ends the process. */
  take(content: Content): void {
    check(content, this.#count, this.#size);
    this.#last = performance.now();
    if (this.#count === 0) this.#first = this.#last;
    if (++this.#count === this.#wanted) this.#complete();
  }

  /** Waits until so many messages have come since the last call; resolves to how that went. */
  async finish(wanted: number): Promise<Received> {
    if (this.#count < wanted) {
      this.#wanted = wanted;
      await new Promise<void>((resolve) => (this.#complete = resolve));
    }
    if (this.#count !== wanted) throw new Error(`${this.#count} messages came instead of ${wanted}`);
    this.#count = 0;
    this.#wanted = Number.POSITIVE_INFINITY;
    const cpu = cpuTime() - this.#cpu;
    this.#cpu += cpu;
    return { rate: ((wanted - 1) * 1000) / (this.#last - this.#first), cpu };
  }
}
