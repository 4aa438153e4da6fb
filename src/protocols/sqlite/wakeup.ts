/** Hints by doorbells, in the hidden folder beside the database; where the system has no watch to give, by looking. */
import type { Place } from '../directory/files.ts';
import { poll } from '../directory/watch.ts';
import type { Wakeup } from '../sql/contract.ts';
import { Doorbells } from '../sql/doorbells.ts';

/** How often somebody who cannot be woken looks who is there, in milliseconds. */
const slowPoll = 50;

/** The hints of a store. */
export class FileWakeup implements Wakeup {
  readonly #bells: Doorbells;
  readonly #polls = new Set<() => void>();

  constructor(folder: string, place: Place) {
    this.#bells = new Doorbells(folder, place);
  }

  enter(name: string): void {
    this.#bells.enter(name);
  }

  leave(name: string): void {
    this.#bells.leave(name);
  }

  ring(peer: string, life: string): void {
    this.#bells.ring(peer, life);
  }

  ringPeers(): void {
    this.#bells.ringPeers();
  }

  listen(name: string, wake: () => void, ready: () => boolean): () => void {
    const look = (): void => {
      if (ready()) wake();
    };
    return this.#bells.listen(name, wake) ?? this.#ending(poll(look));
  }

  watchPeers(wake: () => void): () => void {
    return this.#bells.watchPeers(wake) ?? this.#ending(poll(wake, slowPoll));
  }

  flush(): void {
    this.#bells.flush();
  }

  close(): void {
    for (const end of this.#polls) end();
    this.#polls.clear();
    this.#bells.close();
  }

  #ending(end: () => void): () => void {
    this.#polls.add(end);
    return () => {
      this.#polls.delete(end);
      end();
    };
  }
}
