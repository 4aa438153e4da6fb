/**
 * Hints where the database has none to give: bells on the same host, and a poll for whoever cannot ring them.
 *
 * The bells are in a folder that all processes of a user on one host find by what the server says of itself, by whatever route
 * they reach it. Where that folder is not to be had (somebody else has put one there) there is the poll alone.
 */
import { createHash } from 'node:crypto';
import { rmdirSync } from 'node:fs';
import { isIpcError } from '../../errors.ts';
import { list, removeFile, removeTree } from '../directory/files.ts';
import { temporaryPrefix, temporaryRoot } from '../directory/route.ts';
import { poll as every } from '../directory/watch.ts';
import type { Wakeup } from '../sql/contract.ts';
import { Doorbells, peersBell } from '../sql/doorbells.ts';
import type { WakeupParts } from '../sql-server/database.ts';
import { pollOf, type Ask, type Poll } from './poll.ts';
import { waitingFor } from './statements.ts';

/** How often somebody who cannot be rung looks who is there, in milliseconds. */
const slowPoll = 50;

/** What tells a server and a database from all others, by whatever route they are reached. */
const identity = {
  text: 'SELECT @@hostname AS a, @@datadir AS b, @@port AS c, @@socket AS d, DATABASE() AS e',
  rows: true,
};

/** The bells of a store, and its poll. */
export async function openWakeup(parts: WakeupParts): Promise<Wakeup> {
  const { ask, folder } = parts;
  if (folder !== undefined) return new PolledWakeup(parts, `${folder}/.ipcm/bells`);
  const { rows } = await ask('ask which server it is', identity, []);
  const hash = createHash('sha256').update(JSON.stringify(rows[0])).digest('hex').slice(0, 24);
  const user = process.getuid?.() ?? 0;
  return new PolledWakeup(parts, `${temporaryRoot()}/${temporaryPrefix}bells-${user}-${hash}`);
}

/** The hints of one store. */
class PolledWakeup implements Wakeup {
  /** Nothing depends on a client's own looks: the poll looks for all. */
  readonly lookAgain = 10_000;
  readonly #folder: string;
  readonly #poll: Poll;
  readonly #ask: Ask;
  readonly #names = new Set<string>();
  readonly #ends = new Set<() => void>();
  readonly #wakes = new Set<() => void>();
  #bells: Doorbells | undefined;

  constructor({ shared, ask, place }: WakeupParts, folder: string) {
    this.#folder = folder;
    this.#bells = new Doorbells(folder, place);
    this.#poll = pollOf(shared);
    this.#ask = async (names) => {
      const { rows } = await ask('look for messages', waitingFor(names.length), names);
      return new Set(names.filter((_, n) => Number(rows[0]?.[`n${n}`]) === 1));
    };
  }

  enter(name: string): void {
    try {
      this.#bells?.enter(name);
      this.#names.add(name);
    } catch (error) {
      // Not to be trusted, or no room for it: the poll does without.
      if (!isIpcError(error)) throw error;
      this.#bells?.close();
      this.#bells = undefined;
    }
  }

  leave(name: string): void {
    this.#names.delete(name);
    if (this.#bells === undefined) return;
    this.#bells.leave(name);
    this.#tidy();
  }

  ring(peer: string, life: string): void {
    this.#bells?.ring(peer, life);
  }

  ringPeers(): void {
    this.#bells?.ringPeers();
  }

  looked(name: string): void {
    this.#poll.looked(name);
  }

  listen(name: string, wake: () => void): () => void {
    const rung = (): void => {
      this.#poll.rung(name);
      wake();
    };
    const unhear = this.#bells?.listen(name, rung);
    const unpoll = this.#poll.listen(name, { wake, ask: this.#ask });
    return this.#ending(wake, () => {
      unhear?.();
      unpoll();
    });
  }

  watchPeers(wake: () => void): () => void {
    return this.#ending(wake, this.#bells?.watchPeers(wake) ?? every(wake, slowPoll));
  }

  wakeAll(): void {
    for (const wake of this.#wakes) wake();
  }

  flush(): void {
    this.#bells?.flush();
  }

  close(): void {
    for (const end of this.#ends) end();
    const bells = this.#bells;
    if (bells === undefined) return;
    // Of those who could not leave, since the store is gone.
    for (const name of this.#names) bells.leave(name);
    this.#names.clear();
    bells.close();
    this.#tidy();
  }

  removed(): void {
    if (this.#bells !== undefined) removeTree(this.#folder);
  }

  /** Removes the folder when nobody has a bell in it any more. */
  #tidy(): void {
    if (list(this.#folder).some((bell) => bell !== peersBell)) return;
    removeFile(`${this.#folder}/${peersBell}`);
    try {
      rmdirSync(this.#folder);
    } catch {
      // Somebody has come meanwhile, or it is gone already.
    }
  }

  #ending(wake: () => void, stop: () => void): () => void {
    const end = (): void => {
      this.#ends.delete(end);
      this.#wakes.delete(wake);
      stop();
    };
    this.#ends.add(end);
    this.#wakes.add(wake);
    return end;
  }
}
