/**
 * What distinguishes the directory protocols: what a client's entry is, and how messages get through it. Everything else
 * (names, sidecars, taking and leaving a name, listing, reaping, statistics, suspension) is the same for all and is here.
 */
import type { Dirent } from 'node:fs';
import type { Awaitable, ConnectRequest, Connection, StoreOptions, UnreadMessage } from '../../protocol/protocol.ts';
import type { Member } from './member.ts';

/** How an entry came to be this client's. */
export type Arrival =
  /** Made just now. */
  | 'new'
  /** Left by a suspended client or a dead one, perhaps with messages. */
  | 'again';

/** The strategy of one protocol on one store; `Handle` is what it opens to receive (a descriptor, a server). */
export interface EntryKind<Handle = unknown> {
  /** Bare name of the protocol. */
  readonly protocol: string;
  /** True when disconnecting renames the entry to `_NAME` and drains it; false when it is just unlinked. */
  readonly sealsByRename: boolean;
  /** See `PidRecord`. */
  readonly packs?: boolean;
  /** Longest entry name in bytes on a store at this route. */
  nameLimit(route: string): number;
  /** True when a directory entry is of the type that a client's entry has. */
  isEntry(entry: Pick<Dirent, 'isDirectory' | 'isFIFO' | 'isSocket' | 'isFile'>): boolean;
  /**
   * Makes the entry (`new`: throws the system's `EEXIST` when something is there) or opens the one left behind (`again`). The
   * name is held already: nobody else of ours does the same meanwhile.
   */
  enter(path: string, arrival: Arrival, request: ConnectRequest): Awaitable<Handle>;
  /** The connection of a client that holds its name and has entered; where it throws, it has closed the handle. */
  connect(member: Member, handle: Handle, request: ConnectRequest, arrival: Arrival): Awaitable<Connection>;
  /** True where the kernel says that nobody reads an entry; not there where it cannot tell. */
  isUnread?(path: string): Awaitable<boolean>;
  /** How many messages wait in an entry (or sealed entry), as far as can be seen from outside; 0 where it is gone. */
  waiting(path: string): number;
  /** The messages that wait in an entry, oldest first, at most `limit`, without taking them. */
  unread(path: string, limit: number, options: StoreOptions): UnreadMessage[];
}
