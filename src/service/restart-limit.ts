/** Tells when restarts come too often. */

/** So many in so much time, and no more. */
export class RestartLimit {
  readonly #intensity: number;
  readonly #period: number;
  #times: number[] = [];

  constructor(intensity: number, period: number) {
    this.#intensity = intensity;
    this.#period = period;
  }

  /** Counts a restart at `now` (milliseconds, rising). False if it is one too many. */
  allows(now: number = performance.now()): boolean {
    this.#times = [...this.#times.filter((time) => now - time < this.#period), now];
    return this.#times.length <= this.#intensity;
  }
}
