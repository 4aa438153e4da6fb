/** An open store on a server as the shared SQL client wants it, and its end. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Stream } from 'node:stream';
import { IpcError, isIpcError, quote } from '../../errors.ts';
import { isAlive, isOfThisHost, signalReaches } from '../../liveness/alive.ts';
import { ownIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import type { Outgoing } from '../../protocol/protocol.ts';
import { writeOwner } from '../directory/owner.ts';
import type { Backend, Wakeup } from '../sql/contract.ts';
import { MessageRefused, type Value, type Work } from '../sql/query.ts';
import type { PeerRow } from '../sql/rows.ts';
import type { Statements } from '../sql/statements.ts';
import type { Channels, Database, Target, WakeupParts } from './database.ts';
import { isLocalSource } from './data-source.ts';
import { judge, type Place } from './failure.ts';
import type { Line } from './line.ts';
import { acquireLine, releaseLine } from './lines.ts';
import { pipesOf, stopPrivate, stopPrivateSync } from './private/server.ts';
import { ServerSession, type Patience } from './session.ts';
import { Leases } from './tenure.ts';
import { Notifications } from './wakeup.ts';
import { within } from './within.ts';

/** What a backend is made of. */
export interface BackendParts {
  readonly database: Database;
  readonly line: Line;
  readonly target: Target;
  readonly place: Place;
  readonly patience: Patience;
  /** Seconds. */
  readonly lease: number;
  /** Folder of the private server, if it is one. */
  readonly folder: string | undefined;
}

/** Milliseconds that the end of leases may hold up who leaves. */
const longestFarewell = 3000;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** This process; hosts without a boot id are told apart by their names. */
export function identify(identity: ProcessIdentity): ProcessIdentity {
  return identity.boot === undefined ? { ...identity, boot: `host:${hostname().replace(/\s/g, '_')}` } : identity;
}

/** A store on a server. */
export class ServerBackend implements Backend {
  readonly protocol: string;
  readonly route: string;
  readonly statements: Statements;
  readonly session: ServerSession;
  readonly tenure: Leases;
  wakeup: Wakeup;
  readonly #parts: BackendParts;
  readonly #self: ProcessIdentity = identify(ownIdentity());
  #channels: Channels | undefined;
  #closed = false;

  constructor(parts: BackendParts) {
    const { database, line, place, patience, lease, folder } = parts;
    this.#parts = parts;
    this.protocol = place.protocol;
    this.route = place.route;
    this.statements = database.statements;
    const isThere = (): boolean => folder === undefined || existsSync(folder);
    const session = { line, place, patience, isThere };
    this.session = new ServerSession(session);
    const wakeAll = (): void => {
      line.subscriptions.wakeAll();
      this.wakeup.wakeAll?.();
    };
    const { own, statements } = database;
    this.tenure = new Leases({ session, own, statements, self: this.#self, lease, wakeAll });
    this.wakeup = new Notifications(line.subscriptions, undefined);
  }

  get database(): Database {
    return this.#parts.database;
  }

  own(owner: ProcessIdentity, guard: boolean): void {
    const { folder } = this.#parts;
    if (folder !== undefined) writeOwner({ route: folder, protocol: this.protocol }, owner, guard);
  }

  holds(): readonly Stream[] {
    const { folder } = this.#parts;
    return folder === undefined ? [] : pipesOf(folder);
  }

  /** Once there are tables: asks for the channels of their hints, and removes what others left. */
  async settle(): Promise<void> {
    const { database, line, place, folder } = this.#parts;
    const { channels, own } = database;
    const { session } = this;
    for (const statement of own.trim) await session.own('remove old leases', statement);
    const ask: WakeupParts['ask'] = (doing, statement, values) => session.own(doing, statement, ...values);
    const wakeup = await database.openWakeup?.({ shared: line, ask, place, folder });
    if (wakeup !== undefined) this.wakeup = wakeup;
    if (channels === undefined) return;
    this.#channels = channels.of(await session.own('ask for the channels', channels.query));
    this.wakeup = new Notifications(line.subscriptions, this.#channels);
  }

  checkName(name: string): void {
    const { database, place } = this.#parts;
    const refuse = (why: string): never => {
      const text = `${quote(name)} cannot be the name of a client on ${this.protocol}: ${why}`;
      throw new IpcError('IPCM_INVALID_NAME', text, { ...place });
    };
    if (database.capabilities.nullInNames === false && name.includes('\0'))
      refuse('the database holds no null byte in a text; use another name');
    if (name.length > database.longestName && Array.from(name).length > database.longestName)
      refuse(`its tables hold ${database.longestName} characters; use a shorter name`);
  }

  identify(identity: ProcessIdentity): ProcessIdentity {
    return identify(identity);
  }

  /** Ids are UUIDs there; one that is none gets one that is always the same, so that two of it are still found to be. */
  idValues(id: string): readonly Value[] {
    if (uuid.test(id)) return [id, null];
    if (this.database.capabilities.nullInNames === false && id.includes('\0'))
      throw new MessageRefused('the database holds no null byte in a text; use another id');
    const hex = createHash('sha256').update(id).digest('hex');
    // Version 8 of RFC 9562: what is in it is our affair.
    const parts = [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `8${hex.slice(13, 16)}`,
      `8${hex.slice(17, 20)}`,
      hex.slice(20, 32),
    ];
    return [parts.join('-'), id];
  }

  isAlive(identity: ProcessIdentity, silent: boolean): boolean {
    // The reference records a pid alone: where it may be of another machine, nothing is known but what the row says.
    if (identity.boot === undefined) return !isLocalSource(this.#parts.target.source) || isAlive(identity);
    return isOfThisHost(identity, this.#self) ? isAlive(identity) : !silent;
  }

  mayLive(identity: ProcessIdentity): boolean {
    if (identity.pid === process.pid || identity.boot === undefined) return true;
    return !isOfThisHost(identity, this.#self) || signalReaches(identity.pid);
  }

  async send(peer: PeerRow, messages: readonly Outgoing[]): Promise<number> {
    const { database } = this.#parts;
    const rows = messages.map((outgoing) => ({ ids: this.idValues(outgoing.message.id), outgoing }));
    const channel = this.#channels?.inbox(peer.name);
    const insert = async (): Promise<number> => {
      const build = (line: string, mark: number) => database.send({ peer, messages: rows, line, mark, channel });
      return (await this.session.once('send messages', build, messages.length)).changes;
    };
    try {
      return await insert();
    } catch (error) {
      if (judge(database, (error as Error).cause) !== 'orphan') throw error;
      // Somebody who never was a client: messages must refer to a row.
      const senders = new Set(messages.map(({ message }) => message.from));
      const many = [...senders].map((sender) => [sender]);
      await this.session.one('record a sender', { statement: this.statements.nobody, many });
      return insert();
    }
  }

  async remove(): Promise<void> {
    const { folder, database } = this.#parts;
    if (folder !== undefined) {
      await this.close();
      await stopPrivate(folder, database.recipe);
      return;
    }
    const drop = async (session: ServerSession): Promise<void> => {
      const doing = 'remove the store';
      const work = (): Work<void> => database.schema.drop();
      try {
        await (database.schema.commits === true ? session.read(doing, work) : session.write(doing, work));
      } catch (error) {
        // Somebody else was quicker.
        if (!isIpcError(error, 'IPCM_STORE_MISSING')) throw error;
      }
      this.wakeup.removed?.();
    };
    if (!this.#closed) return drop(this.session);
    // A store can be removed after it was closed.
    const { target, place, patience } = this.#parts;
    const line = acquireLine(database, target);
    try {
      await drop(new ServerSession({ line, place, patience, isThere: () => true }));
    } finally {
      if (releaseLine(target)) await line.close(() => Promise.resolve());
    }
  }

  removeSync(): boolean {
    const { folder, database } = this.#parts;
    try {
      if (folder !== undefined) stopPrivateSync(folder, database.recipe);
      else {
        if (this.#closed) return false;
        this.session.writeAtExit('remove the store', () => database.schema.drop());
        this.wakeup.removed?.();
      }
      return true;
    } catch {
      // Over TLS, or in the middle of something.
      return false;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.tenure.close();
    this.wakeup.close();
    this.session.close();
    const { database, line, target } = this.#parts;
    if (!releaseLine(target)) return;
    // A lease that is left ends by itself.
    if (line.link !== undefined) await within(longestFarewell, this.tenure.endLeft()).catch(() => undefined);
    const { closeLine } = database.own;
    await line.close(async (link) => {
      for (const row of line.rows) await link.run({ ...closeLine, values: [row] });
    });
  }
}
