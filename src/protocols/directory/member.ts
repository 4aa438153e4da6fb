/**
 * One client's place in a store: the name it holds, with its entry and sidecars, and how it leaves.
 *
 * The pid file goes last when leaving, and only if it is still this client's: as long as it names a living process, nobody
 * takes the name or touches what belongs to it.
 */
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { StoreOptions } from '../../protocol/protocol.ts';
import { statsFromWire, statsToWire, type Stats } from '../../protocol/stats.ts';
import { look, moveFile, readSmall, removeFile, removeTree, replaceFile, storeError, type Place } from './files.ts';
import { isHashed, type Sidecar } from './names.ts';
import { stagingPath } from './owner.ts';
import { isSameProcess, readPid, removeOwnPid } from './pid-file.ts';

/** Largest `.stats` file that is read. */
export const largestStats = 16 * 1024 * 1024;

/** What a {@link Member} is made of. */
export interface Membership {
  readonly place: Place;
  /** See `EntryKind`. */
  readonly sealsByRename: boolean;
  readonly options: StoreOptions;
  readonly name: string;
  readonly entry: string;
  readonly identity: ProcessIdentity;
}

/** A client that holds its name. */
export class Member {
  readonly place: Place;
  readonly options: StoreOptions;
  readonly name: string;
  /** File name of the entry: the name or its hash. */
  readonly entry: string;
  /** Path of the entry while it can be sent to. */
  readonly path: string;
  /** Path of the entry once sealed. */
  readonly sealedPath: string;
  readonly identity: ProcessIdentity;
  readonly #sealsByRename: boolean;
  #sealed = false;

  constructor(membership: Membership) {
    const { place, entry } = membership;
    this.place = place;
    this.options = membership.options;
    this.name = membership.name;
    this.entry = entry;
    this.identity = membership.identity;
    this.path = `${place.route}/${entry}`;
    this.sealedPath = `${place.route}/_${entry}`;
    this.#sealsByRename = membership.sealsByRename;
  }

  /** True once nobody can send to it any more. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Where its messages are now. */
  get inbox(): string {
    return this.#sealed && this.#sealsByRename ? this.sealedPath : this.path;
  }

  /** Path of one of its sidecars. */
  sidecar(suffix: Sidecar): string {
    return this.path + suffix;
  }

  /** A fresh path for a file being written, on the store's file system. */
  staging(): string {
    return stagingPath(this.place.route, this.identity);
  }

  /** Runs file operations, turning the system's errors into the bus's. */
  attempt<T>(doing: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw storeError(error, doing, this.place);
    }
  }

  writeStats(stats: Stats): void {
    const bytes = this.options.serializer.serialize(statsToWire(stats));
    this.attempt('write the statistics', () => replaceFile(this.sidecar('.stats'), bytes, this.staging()));
  }

  readStats(): Stats | undefined {
    const bytes = this.attempt('read the statistics', () => readSmall(this.sidecar('.stats'), largestStats));
    if (bytes === undefined) return undefined;
    try {
      return statsFromWire(this.options.serializer.deserialize(bytes, largestStats));
    } catch {
      // Counts of an earlier life that cannot be read are as good as none.
      return undefined;
    }
  }

  /** Nobody can send to it from now on. */
  seal(): void {
    if (this.#sealed) return;
    this.attempt('stop receiving', () => {
      // Somebody removed the store and made it anew, or took the name of what looked dead: the entry is not ours any more.
      if (!isSameProcess(readPid(this.sidecar('.pid'))?.identity, this.identity)) return;
      if (this.#sealsByRename) moveFile(this.path, this.sealedPath);
      else removeFile(this.path);
    });
    this.#sealed = true;
  }

  /** Gives up the name for good; only the statistics stay, for the sanity check and the next of that name. */
  leave(): void {
    this.seal();
    this.attempt('disconnect', () => {
      if (this.#sealsByRename) removeTree(this.sealedPath);
      removeFile(this.sidecar('.resume'));
      removeFile(this.sidecar('.suspend'));
      if (isHashed(this.entry) && look(this.sidecar('.stats')) === undefined) removeFile(this.sidecar('.name'));
      removeOwnPid(this.sidecar('.pid'), this.identity);
    });
  }

  /** The same at process exit, the statistics first: never throws. */
  leaveSync(stats?: Stats): void {
    const count = (): void => (stats === undefined ? undefined : this.writeStats(stats));
    for (const step of [count, () => this.leave()]) {
      try {
        step();
      } catch {
        // Nobody is left to tell; what remains is a dead client's and is reaped as such.
      }
    }
  }

  /** Gives up the pid and keeps the name, until the deadline (epoch seconds) if there is one. */
  suspend(expiresAt: number | undefined): void {
    this.attempt('suspend', () => {
      const path = this.sidecar('.suspend');
      if (expiresAt === undefined) removeFile(path);
      else replaceFile(path, Buffer.from(String(expiresAt)), this.staging());
      removeOwnPid(this.sidecar('.pid'), this.identity);
    });
  }
}
