/**
 * Flow control on top of requests: at most a few pieces per receiver are unanswered, whatever the store could hold. Files and
 * databases take everything at once, and a fast reader would fill the disk with what slow counters have yet to read.
 */

/** Pieces under way per receiver: one being worked on, the others there when it is done. */
const window = 4;

/** Sends pieces, each as a request whose answer says that it has been dealt with. */
export class Flow<Request> {
  readonly #ask: (to: string, request: Request) => Promise<unknown>;
  readonly #open = new Map<string, number>();
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(ask: (to: string, request: Request) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** Sends a piece, once its receiver has room. Rejects with what an earlier one failed with. */
  async send(to: string, request: Request): Promise<void> {
    await this.#until(() => (this.#open.get(to) ?? 0) < window);
    this.#count(to, 1);
    void this.#ask(to, request)
      .catch((error: unknown) => (this.#failure ??= { error }))
      .finally(() => {
        this.#count(to, -1);
        this.#wake();
      });
  }

  /** The receiver with the least to do, once one has room: this is how the work is shared. */
  async leastBusy(receivers: readonly string[]): Promise<string> {
    let best = '';
    await this.#until(() => {
      let least = window;
      for (const name of receivers) {
        const open = this.#open.get(name) ?? 0;
        if (open < least) [best, least] = [name, open];
      }
      return least < window;
    });
    return best;
  }

  /** Resolves when everything sent has been answered. */
  settled(): Promise<void> {
    return this.#until(() => [...this.#open.values()].every((open) => open === 0));
  }

  #count(to: string, change: number): void {
    this.#open.set(to, (this.#open.get(to) ?? 0) + change);
  }

  async #until(holds: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (holds()) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
