/**
 * What a database server has to bring so that the rest of this folder can put a bus on it: words for its routes, a driver
 * behind {@link Link}, its statements and tables, a verdict on its errors, and how to start a private server.
 */
import type { Capabilities, Outgoing } from '../../protocol/protocol.ts';
import type { Wakeup } from '../sql/contract.ts';
import type { Result, Value, Work } from '../sql/query.ts';
import type { PeerRow } from '../sql/rows.ts';
import type { Statements } from '../sql/statements.ts';
import type { DataSource, RouteWords } from './data-source.ts';
import type { Recipe } from './private/recipe.ts';

/** A statement in the driver's own words, with its values. */
export interface Bound {
  readonly text: string;
  readonly values: readonly Value[];
  /** True when it returns rows, false when it only changes some. */
  readonly rows: boolean;
}

/** One connection to a server. Its errors are the driver's own: {@link Database.judge} tells what they mean. */
export interface Link {
  /** By what the server knows this connection: a value of {@link OwnStatements.bury}. */
  readonly tag: string;
  /**
   * Runs a statement. The next may be given without waiting for the answer: they run in the order of the calls, and each
   * succeeds or fails for itself (but for those in a transaction that has failed).
   */
  run(bound: Bound): Promise<Result>;
  /** Calls back once, when the connection is gone, however that came; also for `close`. */
  onLost(listener: () => void): void;
  /** Lets the connection keep the process alive, or not: it does while something is under way. */
  hold(yes: boolean): void;
  /** Notifications, where the database has them: whoever has none is polled. */
  readonly hints?: Hints | undefined;
  /**
   * Runs a statement without the event loop, for the end of the process; called while nothing else is under way, unless
   * the link is {@link direct}. Undefined where it cannot be done (the connection is encrypted, the server does not answer
   * in time).
   */
  runSync?(bound: Bound, milliseconds: number): Result | undefined;
  /** How many groups of values a statement of any number takes on this connection; undefined: as many as there are. */
  readonly longestList?: number | undefined;
  /** `run` has written its statement when it returns, and `runSync` can be called before the answer is there. */
  readonly direct?: boolean;
  /** Ends the connection. Never rejects. */
  close(): Promise<void>;
}

/** Notifications of a connection; what was listened to is over when the connection is. */
export interface Hints {
  listen(channel: string): Promise<void>;
  unlisten(channel: string): Promise<void>;
  onHint(listener: (channel: string) => void): void;
}

/** How a server is reached. The password is in no property that `util.inspect` shows. */
export interface Target {
  readonly source: DataSource;
  readonly user: string | undefined;
  /** What tells it from others, the password hashed into it. */
  readonly key: string;
  /** The password, if there is one. */
  readonly pass: () => string | undefined;
  /** The driver's own settings, of a handle that the caller gave. */
  readonly settings: unknown;
}

/**
 * What an error of the driver means.
 *
 * | | |
 * |---|---|
 * | `lost` | the connection is gone, or there was none to be had: may be better in a moment |
 * | `busy` | a deadlock, a serialization failure, a lock that did not come in time: the same again may succeed |
 * | `duplicate` | a message of that id waits already |
 * | `orphan` | the sender's name has no row that the message could refer to |
 * | `missing` | there are no such tables, or there is no such database |
 * | `full` | no space is left |
 * | `large` | more bytes than the server takes |
 * | `denied` | the credentials, or the rights that come with them, do not do |
 * | `untrusted` | the certificate of the server is not believed; told by the layer for servers |
 * | `other` | anything else |
 */
export type Verdict =
  'lost' | 'busy' | 'duplicate' | 'orphan' | 'missing' | 'full' | 'large' | 'denied' | 'untrusted' | 'other';

/** The tables of a bus. */
export interface Schema {
  /** Makes what is missing; two who do so at once come out right. */
  make(): Work<void>;
  /** The same for a store that there is. False, and nothing is made, where it has been removed since. */
  complete(): Work<boolean>;
  /** `ours`: a store, complete. `wire`: one that the reference made. `none`: no store. */
  inspect(): Work<'ours' | 'wire' | 'none'>;
  /** Removes all tables of the bus. */
  drop(): Work<void>;
  /** True where a change of tables is committed by itself, and is no part of a transaction. */
  readonly commits?: true;
}

/** A message with its id as two values: a UUID, and the id itself where that is none. */
export interface Sent {
  readonly ids: readonly Value[];
  readonly outgoing: Outgoing;
}

/** A batch for one peer, to be inserted by one statement. */
export interface Batch {
  readonly peer: PeerRow;
  readonly messages: readonly Sent[];
  /** The row of `ipcm_lines` in which the statement leaves `mark`, if it inserts anything: see session.ts. */
  readonly line: string;
  readonly mark: number;
  /** Channel to give the receiver its hint on, where there are hints. */
  readonly channel: string | undefined;
}

/** What the hints of a store are made of. */
export interface WakeupParts {
  /** The same object for all stores of this process that share a connection. */
  readonly shared: object;
  /** Asks the server. */
  readonly ask: (doing: string, statement: Own, values: readonly Value[]) => Promise<Result>;
  readonly place: { readonly route: string; readonly protocol: string };
  /** Folder of the private server, if it is one. */
  readonly folder: string | undefined;
}

/** A kind of database server. */
export interface Database {
  /** Bare name of the protocol. */
  readonly name: string;
  readonly words: RouteWords;
  readonly capabilities: Capabilities;
  /** Why the driver cannot be used, if so. Cheap: it does not load it. */
  driverMissing(): string | undefined;
  /** Connects. What has to be set once for each connection is set when it resolves. `name` is for the server's lists. */
  connect(target: Target, name: string): Promise<Link>;
  /** Where a handle of the caller's leads to, and what it was made with; undefined for what is no handle. */
  handle(value: unknown): { readonly source: DataSource; readonly settings: unknown; readonly key: string } | undefined;
  /** User to connect as unless told: from the environment and the files of the database's own tools. */
  defaultUser(source: DataSource): string | undefined;
  /** Password, likewise; undefined where the driver itself looks. */
  defaultPass(source: DataSource, user: string | undefined): string | undefined;
  readonly statements: Statements;
  readonly schema: Schema;
  /** Work of the shared layer itself; the values are named in the comments. */
  readonly own: OwnStatements;
  /**
   * Inserts the batch, only if the peer is in the life in which it was seen: `changes` is the number of messages, or 0. What
   * it inserts must be in the store, or not, before anybody can change the peer's row.
   */
  send(batch: Batch): Bound;
  /** Statements that begin, end and undo a transaction. */
  readonly transaction: { readonly begin: string; readonly commit: string; readonly rollback: string };
  judge(error: unknown): Verdict;
  /** The channels of a store's hints, asked once; undefined without hints. */
  readonly channels?: { readonly query: Bound; of(answer: Result): Channels };
  /** Hints of its own, for a database that gives none: asked for once there are tables. */
  openWakeup?(parts: WakeupParts): Promise<Wakeup>;
  /** Longest name in characters. */
  readonly longestName: number;
  /** How to start a private server. */
  readonly recipe: Recipe;
}

/** Channels of the hints of one store. */
export interface Channels {
  /** Channel that tells a client of its messages. */
  inbox(name: string): string;
  /** Channel that tells of those who come and go. */
  readonly peers: string;
}

/** Statements about leases and lines. Times are the server's, in epoch seconds. */
export interface OwnStatements {
  /** Rights of a process for so many seconds from now, made or renewed. process, seconds */
  readonly lease: Own;
  /** The same, only where the row is there; `changes` tells. seconds, process */
  readonly renew: Own;
  /** process */
  readonly endLease: Own;
  /** Ends a lease that is over; `changes` is 0 where it was renewed, or is not there. process */
  readonly endStaleLease: Own;
  /** Rows if the lease of a process is in force. process */
  readonly leased: Own;
  /** The peers that a process holds, locked: id, ipcm_process. process, process with ' ack' */
  readonly held: Own;
  /** The row of a line, with mark 0, if it is not there. line */
  readonly openLine: Own;
  /** Removes the rows of lines not used for a week, and leases that are over for as long. */
  readonly trim: readonly Own[];
  /** line */
  readonly closeLine: Own;
  /** Sets the mark. mark, line */
  readonly mark: Own;
  /** Row: mark; waits for a transaction that is changing it. line */
  readonly marked: Own;
  /** Ends a connection at the server, and waits until it has ended: a row with `ended` false says that it has not. tag */
  readonly bury: Own;
}

/** A statement of the shared layer. */
export interface Own {
  readonly text: string;
  readonly rows: boolean;
}
