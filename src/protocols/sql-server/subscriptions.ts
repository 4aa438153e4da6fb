/** Whom to wake for which hint, over all connections that a line has one after the other. */
import type { Link } from './database.ts';
import type { Gate } from './gate.ts';

/** The subscriptions of a line. */
export class Subscriptions {
  readonly #wakes = new Map<string, Set<() => void>>();
  readonly #gate: Gate;
  #link: Link | undefined;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Calls `wake` for each hint on a channel, once it is listened to, and whenever hints may have been lost. */
  add(channel: string, wake: () => void): () => void {
    let wakes = this.#wakes.get(channel);
    if (wakes === undefined) {
      this.#wakes.set(channel, (wakes = new Set()));
      this.#tell(channel, true);
    } else if (this.#link !== undefined) setImmediate(wake);
    wakes.add(wake);
    const found = wakes;
    return () => {
      if (!found.delete(wake) || found.size > 0) return;
      this.#wakes.delete(channel);
      this.#tell(channel, false);
    };
  }

  /** A new connection: asks it for everything, then wakes everybody. */
  async attach(link: Link): Promise<void> {
    const { hints } = link;
    if (hints === undefined) return;
    hints.onHint((channel) => this.#wake(channel));
    // From now on, so that it is told of what is added meanwhile as well.
    this.#link = link;
    try {
      await Promise.all([...this.#wakes.keys()].map((channel) => hints.listen(channel)));
    } catch (error) {
      this.#link = undefined;
      throw error;
    }
    this.wakeAll();
  }

  /** The connection is gone: whoever waits looks, which makes the next one. */
  detach(): void {
    this.#link = undefined;
    this.wakeAll();
  }

  wakeAll(): void {
    for (const channel of this.#wakes.keys()) this.#wake(channel);
  }

  #wake(channel: string): void {
    for (const wake of this.#wakes.get(channel) ?? []) wake();
  }

  /** In the order of the calls, and never in the middle of a transaction, whose end could undo it. */
  #tell(channel: string, on: boolean): void {
    const tell = async (): Promise<void> => {
      const turn = this.#gate.enter(false);
      if (turn !== undefined) await turn;
      try {
        if (on) await this.#link?.hints?.listen(channel);
        else await this.#link?.hints?.unlisten(channel);
        if (on) this.#wake(channel);
      } finally {
        this.#gate.leave();
      }
    };
    // A connection that is gone has nothing to be told; the next one is told everything.
    tell().catch(() => undefined);
  }
}
