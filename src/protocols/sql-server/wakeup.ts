/** Hints by notification, where the database has them; else whoever waits looks by itself. */
import type { Wakeup } from '../sql/contract.ts';
import type { Channels } from './database.ts';
import type { Subscriptions } from './subscriptions.ts';

/** How often somebody who cannot be woken looks, in milliseconds. */
const polling = 20;

/** How often somebody looks who is told, in milliseconds. */
const slowPoll = 10_000;

/** The hints of one store. */
export class Notifications implements Wakeup {
  readonly #subscriptions: Subscriptions;
  readonly #channels: Channels | undefined;
  readonly #ends = new Set<() => void>();

  constructor(subscriptions: Subscriptions, channels: Channels | undefined) {
    this.#subscriptions = subscriptions;
    this.#channels = channels;
  }

  /** Hints are not lost while there is a connection, and after a new one everybody looks. */
  get lookAgain(): number | undefined {
    return this.#channels === undefined ? undefined : slowPoll;
  }

  enter(): void {
    // Nothing is kept of who is there: a hint that nobody listens to goes nowhere.
  }

  leave(): void {
    // As above.
  }

  ring(): void {
    // The statement that sends gives the hint, with the commit; a trigger does for what the reference sends.
  }

  ringPeers(): void {
    // A trigger does.
  }

  listen(name: string, wake: () => void): () => void {
    return this.#listen(this.#channels?.inbox(name), wake);
  }

  watchPeers(wake: () => void): () => void {
    return this.#listen(this.#channels?.peers, wake);
  }

  flush(): void {
    // Nothing is owed.
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  #listen(channel: string | undefined, wake: () => void): () => void {
    let end: () => void;
    if (channel === undefined) {
      const timer = setInterval(wake, polling);
      timer.unref();
      end = () => clearInterval(timer);
    } else end = this.#subscriptions.add(channel, wake);
    this.#ends.add(end);
    return () => {
      this.#ends.delete(end);
      end();
    };
  }
}
