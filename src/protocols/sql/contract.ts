/**
 * What a database has to bring so that the shared SQL client (the other files of this folder) can be a bus on it.
 */
import type { Stream } from 'node:stream';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { Awaitable, Outgoing } from '../../protocol/protocol.ts';
import type { Query, Result, Value, Work } from './query.ts';
import type { PeerRow } from './rows.ts';
import type { Statements } from './statements.ts';

/**
 * A way into the database. Errors are those of the bus (`IPCM_STORE_MISSING`, `IPCM_STORE_FULL`, `IPCM_STORE_FAILED`,
 * `IPCM_ROUTE_INVALID`), but for {@link MessageRefused}. `doing` completes "cannot …" in their messages.
 */
export interface Session {
  /** Runs work in one transaction that holds the right to write from its beginning; waits for others who have it. */
  write<T>(doing: string, work: () => Work<T>): Awaitable<T>;
  /** Runs work that changes nothing, without a transaction: each statement sees what is there then. */
  read<T>(doing: string, work: () => Work<T>): Awaitable<T>;
  /** One statement in a transaction of its own. */
  one(doing: string, query: Query): Awaitable<Result>;
  /** True where what is given to `one` now is on its way to a server when that returns; never where it is done by then. */
  readonly direct?: boolean;
  /** The same as `write` as far as synchronous code can, for the end of the process: waits a moment only. */
  writeAtExit(doing: string, work: () => Work<void>): void;
  /** Throws `IPCM_STORE_MISSING` when the store that was opened is not at its route any more. */
  checkPresent(): Awaitable<void>;
}

/** Hints for those who wait. They are given after the commit that they tell of, and may be lost. */
export interface Wakeup {
  /** A client has come: it can be rung from now on. */
  enter(name: string): void;
  /** A client goes, or went: to be called while its name is still held. */
  leave(name: string): void;
  /** Messages for a peer are in the store. `life` changes each time that the peer connects. */
  ring(peer: string, life: string): void;
  /** Somebody came, went or changed. */
  ringPeers(): void;
  /** Calls `wake` when a client may have messages; `ready` is for where there is nothing but looking. */
  listen(name: string, wake: () => void, ready: () => boolean): () => void;
  /** Calls `wake` when somebody may have come, gone or changed. */
  watchPeers(wake: () => void): () => void;
  /** Gives at once the hints that are still owed. */
  flush(): void;
  /** Ends everything that is listened to, and lets go of what is held. */
  close(): void;
  /** A client looks for messages by itself. */
  looked?(name: string): void;
  /** Wakes everybody who listens. */
  wakeAll?(): void;
  /** The store has been removed. */
  removed?(): void;
  /** Milliseconds after which who waits looks without a hint, where that is not the usual. */
  readonly lookAgain?: number | undefined;
}

/** The right to names that a process loses if it is not heard of for long. `process` is that of the client's row. */
export interface Tenure {
  /** Begins or renews it, in the transaction that takes a name. */
  begin(process: string): Work<void>;
  /** Ends that of a process judged silent, in the transaction that reaps; false where it was heard of meanwhile. */
  revoke(peer: PeerRow): Work<boolean>;
  /** A client is about to take a name: what is returned is called once it has. */
  coming(): (name: string, process: string) => Tenancy;
}

/** The right of one client to its name. */
export interface Tenancy {
  /** Throws `IPCM_NOT_CONNECTED` if the name was taken from it. */
  check(): Awaitable<void>;
  /** It holds its name no more. */
  ended(): void;
}

/** An open database with a store in it. */
export interface Backend {
  /** Bare name of the protocol. */
  readonly protocol: string;
  readonly route: string;
  readonly session: Session;
  readonly wakeup: Wakeup;
  readonly statements: Statements;
  /** Throws `IPCM_INVALID_NAME` for a name that this database cannot hold. */
  checkName(name: string): void;
  /** An id as it is bound: all the values that stand for it in a row. Throws {@link MessageRefused}. */
  idValues(id: string): readonly Value[];
  /** Whether a process that is recorded in the store still lives. `silent`: its lease is over, or it has none. */
  isAlive(identity: ProcessIdentity, silent: boolean): boolean;
  /** Cheap: false when the process has surely ended. */
  mayLive(identity: ProcessIdentity): boolean;
  /** Who a client is, on a database that several hosts share. */
  identify?(identity: ProcessIdentity): ProcessIdentity;
  /** The right to a name, where it runs out. */
  readonly tenure?: Tenure;
  /**
   * Sends a batch at once, where the database has a way that is better than the shared one. Resolves to its length, or to 0 when
   * the peer is not the one that was seen. Throws {@link MessageRefused}.
   */
  send?(peer: PeerRow, batch: readonly Outgoing[]): Awaitable<number>;
  /** See `Store.own`. */
  own?(owner: ProcessIdentity, guard: boolean): Awaitable<void>;
  /** See `Store.holds`. */
  holds?(): readonly Stream[];
  /** Removes the store. Removing one that is gone is fine. */
  remove(): Awaitable<void>;
  /** See `Store.removeSync`. */
  removeSync(): boolean;
  /** Lets go of the database. */
  close(): Awaitable<void>;
}
