/**
 * Flow control on top of the bus: at most a few pieces per receiver are under way, whatever the store could hold. Files and
 * databases take everything at once, and a fast reader would fill the disk with what slow counters have yet to read.
 */
import type { Client } from '../../index.ts';
import type { Content } from './contents.ts';

/** Pieces under way per receiver: one being worked on, the others there when it is done. */
const window = 4;

/** Sends pieces that their receivers confirm with `done`. */
export class Flow {
  readonly #client: Client;
  readonly #open = new Map<string, number>();
  #wake: () => void = () => undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** To be called for each `done`. */
  confirmed(from: string): void {
    this.#open.set(from, (this.#open.get(from) ?? 0) - 1);
    this.#wake();
  }

  /** Sends a piece, once its receiver has room. */
  async send(to: string, content: Content): Promise<void> {
    await this.#until(() => (this.#open.get(to) ?? 0) < window);
    this.#open.set(to, (this.#open.get(to) ?? 0) + 1);
    await this.#client.sendMessage(to, content);
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

  /** Resolves when everything sent has been confirmed. */
  settled(): Promise<void> {
    return this.#until(() => [...this.#open.values()].every((open) => open === 0));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
