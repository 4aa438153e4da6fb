/**
 * One connection. One file, since what is under way on it, what waits for that, and what becomes of both when it is lost are kept in
 * the same few fields.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import type { Result, Row, Value } from '../sql/query.ts';
import type { Bound, Link, Target } from '../sql-server/database.ts';
import { bury, tagOf, taking } from './burial.ts';
import { loadDriver, type DriverConnection, type DriverOutcome } from './driver.ts';
import { exchange } from './exchange.ts';
import { PacketTooLarge, undoes } from './errors.ts';
import { Prepared } from './prepared.ts';
import { securityOf } from './security.ts';
import { settled } from './settled.ts';
import { sendsOf, type SendBound } from './send.ts';
import { burial } from './statements.ts';
import { bindable, frame, sizeOfAll } from './values.ts';
import { kindOf, type Kind } from './version.ts';

/** Set on each connection: what the statements rely on, whatever the server's own defaults are. */
const session = [
  // In the default, REPEATABLE READ, a reader that removes messages locks the gaps into which senders insert.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  // Strict: what does not fit is an error, and not cut. Quotes and backslashes have their usual meanings.
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, foreign_key_checks = 0, innodb_lock_wait_timeout = 1",
  // Idle for a month.
  'SET SESSION wait_timeout = 2592000, net_write_timeout = 600',
] as const;

/** Statements kept prepared on a connection: a server has some 16,000 for all of them. */
const prepared = 64;
/** Milliseconds to wait for a server to answer. */
const connectTimeout = 10_000;
/** Most bytes of a value of a list: an id. */
const longestListed = 128;

interface LinkParts {
  readonly tag: string;
  readonly connection: DriverConnection;
  readonly socket: Socket;
  /** True with TLS, or compressed: what is on the socket is not the protocol itself. */
  readonly isEncrypted: boolean;
  readonly kind: Kind;
  readonly largestPacket: number;
  /** True where a lock that is not granted in time undoes the whole transaction. */
  readonly timeoutsUndo: boolean;
}

/** A connection to a server. */
export class FamilyLink implements Link {
  readonly tag: string;
  /** What server it is. */
  readonly kind: Kind;
  /** Largest packet that the server takes, in bytes. */
  readonly largestPacket: number;
  readonly longestList: number;
  readonly #connection: DriverConnection;
  readonly #socket: Socket;
  readonly #isEncrypted: boolean;
  readonly #timeoutsUndo: boolean;
  readonly #lost: (() => void)[] = [];
  #gone = false;
  #pending = 0;
  /** Undefined where the library keeps the order by itself. */
  readonly #prepared: Prepared | undefined;
  /** A transaction of several steps, in the midst of which nothing else may be sent. */
  #alone: Promise<unknown> | undefined;

  private constructor({ tag, connection, socket, isEncrypted, kind, largestPacket, timeoutsUndo }: LinkParts) {
    this.#connection = connection;
    this.#socket = socket;
    this.#isEncrypted = isEncrypted;
    this.kind = kind;
    this.largestPacket = largestPacket;
    this.longestList = Math.max(1, Math.floor((largestPacket - frame) / longestListed));
    this.#timeoutsUndo = timeoutsUndo;
    this.#prepared = kind.isMariadb ? undefined : new Prepared(connection, prepared);
    this.tag = tag;
    const gone = (): void => {
      if (this.#gone) return;
      this.#gone = true;
      for (const listener of this.#lost.splice(0)) listener();
    };
    connection.on('error', gone);
    connection.on('end', gone);
  }

  /** Connects, for a line; by the network where there is no socket. */
  static async open(target: Target, line: string, path: string | undefined): Promise<FamilyLink> {
    const tag = tagOf(line);
    const { source } = target;
    const driver = await loadDriver();
    const sockets: Socket[] = [];
    const security = securityOf(target);
    const isEncrypted = Boolean(security['ssl']) || Boolean(security['compress']);
    const connection = await driver.createConnection({
      ...security,
      // Made here, so that it can be let go of and taken hold of again.
      stream(this: { socketPath?: string | undefined }) {
        // Told beforehand, the library would connect by itself. It has to know that nobody listens in, so that a password needs no
        // key of the server's.
        this.socketPath = path;
        const socket =
          path === undefined
            ? connectSocket({ host: source.host ?? '127.0.0.1', port: source.port ?? 3306, noDelay: true })
            : connectSocket({ path });
        sockets.push(socket);
        return socket;
      },
      ...(target.user === undefined ? {} : { user: target.user }),
      ...(target.pass() === undefined ? {} : { password: target.pass() }),
      database: source.database,
      charset: 'utf8mb4',
      connectTimeout,
      prepareCacheLength: prepared,
      maxAllowedPacket: 1024 ** 3,
      bigIntAsNumber: true,
      insertIdAsNumber: true,
      decimalAsNumber: true,
      autoJsonMap: false,
      bitOneIsBoolean: false,
      checkDuplicate: false,
      // No message's content in an error.
      logParam: false,
      foundRows: true,
      logger: { warning: () => undefined },
    });
    // Told again to whoever waits for an answer.
    connection.on('error', () => undefined);
    const [socket] = sockets;
    if (socket === undefined) throw new TypeError('the library made no connection');
    try {
      const settings = [...session, taking(tag)].map((statement) => connection.query(statement));
      const [[row]] = (await Promise.all([
        connection.query(
          'SELECT VERSION() AS version, @@max_allowed_packet AS packet, @@innodb_rollback_on_timeout AS timeouts',
        ),
        ...settings,
      ])) as [Row[], ...unknown[]];
      const kind = kindOf(row?.['version']);
      const largestPacket = Number(row?.['packet']);
      const timeoutsUndo = Number(row?.['timeouts']) === 1;
      return new FamilyLink({ tag, connection, socket, isEncrypted, kind, largestPacket, timeoutsUndo });
    } catch (error) {
      socket.destroy(new Error('the connection could not be set up'));
      throw error;
    }
  }

  run(bound: Bound): Promise<Result> {
    if (this.#alone !== undefined) return this.#alone.then(() => this.run(bound));
    const send = sendsOf(bound);
    if (send === undefined) return this.#whenPrepared([bound], () => this.#one(bound));
    const inserts = send.inserts(this.largestPacket);
    const marks = send.marks(this.kind.isMariadb);
    return this.#whenPrepared([...inserts, ...marks], () => this.#send(send, inserts, marks));
  }

  runSync(bound: Bound, milliseconds: number): Result | undefined {
    const { _handle: handle } = this.#socket as { _handle?: { fd?: number } | null };
    const descriptor = handle?.fd;
    const isBusy = this.#pending > 0 || this.#alone !== undefined || this.#socket.writableLength > 0;
    if (this.#gone || isBusy || this.#isEncrypted || descriptor === undefined || descriptor < 0) return undefined;
    const changes = exchange(descriptor, bound, milliseconds);
    return changes === undefined ? undefined : { rows: [], changes };
  }

  onLost(listener: () => void): void {
    if (this.#gone) listener();
    else this.#lost.push(listener);
  }

  hold(yes: boolean): void {
    if (yes) this.#socket.ref();
    else this.#socket.unref();
  }

  async close(): Promise<void> {
    this.hold(true);
    const late = setTimeout(() => this.#socket.destroy(new Error('the server does not answer')), 1000);
    try {
      // Once told to end, the library forgets those who wait for answers: a server that is silent would hold them up for ever.
      if (this.#pending > 0 || this.#alone !== undefined) await this.#connection.query('DO 0');
      await this.#connection.end();
    } catch {
      // Gone already.
    } finally {
      clearTimeout(late);
      this.#socket.destroy();
    }
  }

  #whenPrepared(steps: readonly Bound[], run: () => Promise<Result>): Promise<Result> {
    const missing = this.#unprepared(steps);
    if (missing.length === 0) return run();
    const added = this.#prepared?.add(missing) ?? Promise.resolve();
    this.#holdBack(added);
    // Before those who are held back.
    return added.then(run);
  }

  async #send(send: SendBound, inserts: readonly Bound[], marks: readonly Bound[]): Promise<Result> {
    // Before anything is sent: nothing of a batch is there of which something is too large.
    for (const { values } of inserts) this.#checkSize(values);
    if (inserts.length === 1) return this.#sendAtOnce(send, inserts, marks);
    const sent = this.#sendInTurn(send, inserts, marks);
    this.#holdBack(sent);
    return sent;
  }

  /** Nothing else is sent until something has ended. */
  #holdBack(until: Promise<unknown>): void {
    const alone = until.then(
      () => undefined,
      () => undefined,
    );
    this.#alone = alone;
    void alone.then(() => {
      if (this.#alone === alone) this.#alone = undefined;
    });
  }

  /** Texts that have to be prepared first. */
  #unprepared(steps: readonly Bound[]): string[] {
    if (this.#prepared === undefined) return [];
    const missing = steps.filter((step) => !isText(step) && this.#prepared?.get(step.text) === undefined);
    return missing.map(({ text }) => text);
  }

  async #one({ text, values, rows }: Bound): Promise<Result> {
    this.#checkSize(values);
    this.#pending++;
    try {
      const answer = await this.#ask(text, values);
      if (rows) return { rows: answer as Row[], changes: 0 };
      return { rows: [], changes: (answer as DriverOutcome).affectedRows };
    } finally {
      this.#pending--;
    }
  }

  #ask(text: string, values: readonly Value[]): Promise<unknown> {
    if (text === burial) return bury(this.#connection, String(values[0])).then(() => []);
    if (isText({ text, values })) return this.#connection.query(text);
    const statement = this.#prepared?.get(text);
    const bindables = values.map(bindable);
    return statement === undefined ? this.#connection.execute(text, bindables) : statement.execute(bindables);
  }

  /**
   * A transaction of one insert, all of it sent at once. Should the insert fail, the mark stays as it was, and there is nothing
   * to commit. Should the mark fail alone, the messages are there.
   */
  async #sendAtOnce(
    { begin, commit, refused }: SendBound,
    inserts: readonly Bound[],
    marks: readonly Bound[],
  ): Promise<Result> {
    const all = (steps: readonly Bound[]): Promise<Result[]> => settled(steps.map((step) => this.#one(step)));
    const [inserted, marked, committed] = await Promise.allSettled([
      all([begin, ...inserts]),
      all(marks),
      this.#one(commit),
    ]);
    if (inserted.status === 'rejected') {
      if (refused(inserted.reason)) return { rows: [], changes: 0 };
      throw inserted.reason;
    }
    if (committed.status === 'rejected') throw committed.reason;
    if (marked.status === 'rejected' && undoes(marked.reason, this.#timeoutsUndo)) throw marked.reason;
    return { rows: [], changes: inserted.value[1]?.changes ?? 0 };
  }

  /** A transaction of several inserts, each of which has to succeed before the next. */
  async #sendInTurn(
    { begin, commit, refused }: SendBound,
    inserts: readonly Bound[],
    marks: readonly Bound[],
  ): Promise<Result> {
    await this.#one(begin);
    let changes = 0;
    try {
      for (const insert of inserts) changes += (await this.#one(insert)).changes;
      await settled(marks.map((step) => this.#one(step)));
    } catch (error) {
      // Where the connection is gone the transaction went with it.
      if (!this.#gone) await this.#one({ text: 'ROLLBACK', values: [], rows: false });
      if (refused(error)) return { rows: [], changes: 0 };
      throw error;
    }
    await this.#one(commit);
    return { rows: [], changes };
  }

  #checkSize(values: readonly Value[]): void {
    const size = frame + sizeOfAll(values);
    if (size > this.largestPacket) throw new PacketTooLarge(size, this.largestPacket);
  }
}

/** What cannot be prepared everywhere: BEGIN and the like, which have no values, and what is several statements. */
function isText({ text, values }: Pick<Bound, 'text' | 'values'>): boolean {
  return values.length === 0 || text === burial;
}
