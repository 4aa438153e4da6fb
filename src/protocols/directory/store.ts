/** A directory as a store: everything that is the same whether messages are files, chunks in a FIFO, or datagrams. */
import { renameSync } from 'node:fs';
import { quote } from '../../errors.ts';
import { ownIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import { randomHex } from '../../message/random.ts';
import type {
  ConnectRequest,
  Connection,
  PeerEntry,
  Reaped,
  Store,
  StoreOptions,
  UnreadMessage,
} from '../../protocol/protocol.ts';
import { statsFromWire, type Stats } from '../../protocol/stats.ts';
import type { Arrival, EntryKind } from './entry-kind.ts';
import { emptyDirectory, list, moveFile, readSmall, storeError, type Place } from './files.ts';
import { largestStats, Member } from './member.ts';
import { checkName, entryFor, isEntryName, nameOf } from './names.ts';
import { makeInner, readReaped, removeStore, writeOwner } from './owner.ts';
import { listPeers, peerOf, standing } from './peers.ts';
import { reapAll, reapOne, type Reaper } from './reap.ts';
import { countFrames, readFrames } from './resume.ts';
import { checkRoute, isSameRoute, type RouteIdentity } from './route.ts';
import { take } from './take.ts';
import { unreadOf } from './unread.ts';
import { poll, watchDirectory } from './watch.ts';

/** How often somebody who cannot watch the route looks who is there, in milliseconds. */
const slowPoll = 50;

/** An open store of one of the directory protocols. */
export class DirectoryStore<Handle = unknown> implements Store {
  readonly route: string;
  readonly place: Place;
  readonly kind: EntryKind<Handle>;
  readonly options: StoreOptions;
  #identity: RouteIdentity;
  readonly #watches = new Set<() => void>();

  /** Throws unless the route is a directory that nobody else can tamper with. */
  constructor(route: string, kind: EntryKind<Handle>, options: StoreOptions) {
    this.route = route;
    this.place = { route, protocol: kind.protocol };
    this.kind = kind;
    this.options = options;
    this.#identity = checkRoute(this.place);
  }

  peers(): PeerEntry[] {
    return listPeers(this.place, this.kind);
  }

  peer(name: string): PeerEntry | undefined {
    const entry = this.#entry(name);
    if (entry === undefined) return undefined;
    return this.#attempt('look for a peer', () => peerOf(name, standing(this.route, this.kind, entry)));
  }

  stats(): ReadonlyMap<string, Stats> {
    const all = new Map<string, Stats>();
    const { serializer } = this.options;
    for (const file of this.#attempt('read the statistics', () => list(this.route))) {
      if (!file.endsWith('.stats')) continue;
      const entry = file.slice(0, -'.stats'.length);
      const bytes = isEntryName(entry) ? readSmall(`${this.route}/${file}`, largestStats) : undefined;
      if (bytes === undefined) continue;
      try {
        all.set(nameOf(this.route, entry) ?? entry, statsFromWire(serializer.deserialize(bytes, largestStats)));
      } catch {
        // Being a record of what was, an unreadable one is left out; the sanity check then shows the difference.
      }
    }
    return all;
  }

  waiting(name: string): number {
    const entry = this.#entry(name);
    if (entry === undefined) return 0;
    return this.#attempt('count messages', () => {
      const path = `${this.route}/${entry}`;
      return countFrames(`${path}.resume`) + this.kind.waiting(path) + this.kind.waiting(`${this.route}/_${entry}`);
    });
  }

  unread(name: string, limit: number): UnreadMessage[] {
    const entry = this.#entry(name);
    if (entry === undefined) return [];
    return this.#attempt('list messages', () => {
      const path = `${this.route}/${entry}`;
      const found: UnreadMessage[] = [];
      readFrames(`${path}.resume`, this.options.limits, this.place, {
        frame: (bytes) => {
          const message = unreadOf(bytes, this.options);
          if (message !== undefined) found.push(message);
          return found.length < limit;
        },
      });
      for (const inbox of [path, `${this.route}/_${entry}`]) {
        if (found.length < limit) found.push(...this.kind.unread(inbox, limit - found.length, this.options));
      }
      return found.slice(0, limit);
    });
  }

  reap(): Reaped[] {
    return reapAll(this.#reaper());
  }

  reaped(): Reaped[] {
    return this.#attempt('read who was reaped', () => readReaped(this.route));
  }

  /** Removes one peer if it is dead or past its deadline. */
  reapPeer(name: string): Reaped | undefined {
    const entry = this.#entry(name);
    return entry === undefined ? undefined : this.#attempt(`reap ${quote(name)}`, () => reapOne(this.#reaper(), entry));
  }

  watchPeers(wake: () => void): () => void {
    const end = watchDirectory(this.route, wake) ?? poll(wake, slowPoll);
    this.#watches.add(end);
    return () => {
      this.#watches.delete(end);
      end();
    };
  }

  async connect(request: ConnectRequest): Promise<Connection> {
    checkRoute(this.place);
    const { kind, place, options } = this;
    const reaper: Reaper = { place, kind, self: request.identity };
    const enter = (path: string, arrival: Arrival): Handle | Promise<Handle> => kind.enter(path, arrival, request);
    const { entry, handle, arrival } = await take(reaper, request, enter);
    const membership = {
      place,
      sealsByRename: kind.sealsByRename,
      options,
      name: request.name,
      entry,
      identity: request.identity,
    };
    const member = new Member(membership);
    try {
      return await kind.connect(member, handle, request, arrival);
    } catch (error) {
      if (arrival === 'new') member.leaveSync();
      else member.suspend(undefined);
      throw error;
    }
  }

  /** Records who owns the store from now on: its maker, or whom it was handed to. */
  own(owner: ProcessIdentity, guard: boolean): void {
    makeInner(this.place);
    writeOwner(this.place, owner, guard);
    this.#identity = checkRoute(this.place);
  }

  remove(): void {
    this.#attempt('remove the store', () => {
      if (!isSameRoute(this.route, this.#identity)) return;
      // Renamed first, so that nobody puts files into what is being emptied.
      const tomb = `${this.route}.${randomHex(4)}`;
      try {
        renameSync(this.route, tomb);
      } catch {
        // A mount point, or a parent that is not ours to change: emptied in place, and removed if that can be.
        emptyDirectory(this.route);
        return;
      }
      try {
        removeStore(tomb);
      } catch (error) {
        // Under its own name it is found again, by who tries anew or looks for stores that were left.
        moveFile(tomb, this.route);
        throw error;
      }
    });
  }

  removeSync(): boolean {
    try {
      this.remove();
    } catch {
      // Another process would fare no better; a guarded store is found by its owner's record.
    }
    return true;
  }

  close(): void {
    for (const end of this.#watches) end();
    this.#watches.clear();
  }

  #reaper(): Reaper {
    makeInner(this.place);
    return { place: this.place, kind: this.kind, self: ownIdentity() };
  }

  /** The entry of a name; undefined for one that nobody can have. */
  #entry(name: string): string | undefined {
    try {
      checkName(name);
    } catch {
      // Looking for it is fine: it is not there.
      return undefined;
    }
    return entryFor(name, this.kind.nameLimit(this.route));
  }

  #attempt<T>(doing: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw storeError(error, doing, this.place);
    }
  }
}
