/**
 * Who may use a connection: any number of single statements at once, or one transaction alone. First come, first served, so
 * that neither kind waits for ever, and nothing is done before what was asked for earlier.
 */

interface Waiting {
  readonly alone: boolean;
  readonly enter: () => void;
}

/** The gate of one connection. */
export class Gate {
  readonly #queue: Waiting[] = [];
  #inside = 0;
  #alone = false;

  /** True while nobody is inside or waits. */
  get idle(): boolean {
    return this.#inside === 0 && this.#queue.length === 0;
  }

  /** True while who does not want to be alone enters at once. */
  get open(): boolean {
    return this.#queue.length === 0 && this.#admits(false);
  }

  /** Enters at once (undefined) or when it is one's turn. Each entry ends with {@link leave}. */
  enter(alone: boolean): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#admits(alone)) {
      this.#admit(alone);
      return undefined;
    }
    return new Promise((resolve) => this.#queue.push({ alone, enter: resolve }));
  }

  leave(): void {
    this.#inside--;
    if (this.#inside === 0) this.#alone = false;
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined || !this.#admits(next.alone)) return;
      this.#queue.shift();
      this.#admit(next.alone);
      next.enter();
    }
  }

  #admits(alone: boolean): boolean {
    return this.#inside === 0 || !(alone || this.#alone);
  }

  #admit(alone: boolean): void {
    this.#inside++;
    this.#alone = alone;
  }
}
