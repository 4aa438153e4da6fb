/** A store in a database, seen from outside. */
import type { Stream } from 'node:stream';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type {
  Awaitable,
  Connection,
  ConnectRequest,
  PeerEntry,
  Reaped,
  Store,
  StoreOptions,
  UnreadMessage,
} from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';
import { SqlConnection } from './connection.ts';
import { andThen } from './awaitable.ts';
import type { Backend } from './contract.ts';
import type { Result, Statement, Value } from './query.ts';
import { reapAll } from './reap.ts';
import { entryOf, livenessCache, numberOf, peerRow, processColumn, textOf } from './rows.ts';
import { allStats } from './stats.ts';
import { take } from './take.ts';

/** False for a name that nobody can have in this database. */
function isPossible(backend: Backend, name: string): boolean {
  try {
    backend.checkName(name);
    return true;
  } catch {
    return false;
  }
}

/** An open store of one of the SQL protocols. */
export class SqlStore implements Store {
  readonly route: string;
  readonly #backend: Backend;
  readonly #options: StoreOptions;

  constructor(backend: Backend, options: StoreOptions) {
    this.route = backend.route;
    this.#backend = backend;
    this.#options = options;
  }

  peers(): Awaitable<PeerEntry[]> {
    return andThen(this.#ask('list the peers', this.#backend.statements.peers), ({ rows }) => {
      const isAlive = livenessCache((identity, silent) => this.#backend.isAlive(identity, silent));
      const entries: PeerEntry[] = [];
      for (const row of rows) {
        const peer = peerRow(row);
        if (peer !== undefined) entries.push(entryOf(peer, isAlive));
      }
      return entries;
    });
  }

  peer(name: string): Awaitable<PeerEntry | undefined> {
    if (!isPossible(this.#backend, name)) return undefined;
    return andThen(this.#ask('look for a peer', this.#backend.statements.peer, name), ({ rows: [row] }) => {
      const peer = row === undefined ? undefined : peerRow(row);
      return peer === undefined
        ? undefined
        : entryOf(peer, (identity, silent) => this.#backend.isAlive(identity, silent));
    });
  }

  stats(): Awaitable<ReadonlyMap<string, Stats>> {
    return andThen(this.#backend.session.checkPresent(), () => allStats(this.#backend, this.#options.serializer));
  }

  waiting(name: string): Awaitable<number> {
    const answer = this.#ask('count messages', this.#backend.statements.count, name);
    return andThen(answer, ({ rows }) => numberOf(rows[0]?.['number']) ?? 0);
  }

  async unread(name: string, limit: number): Promise<UnreadMessage[]> {
    const { listOut, listBack, listWaiting } = this.#backend.statements;
    const found: UnreadMessage[] = [];
    for (const statement of [listOut, listBack, listWaiting]) {
      if (found.length >= limit) break;
      const { rows } = await this.#ask('list messages', statement, name, limit - found.length);
      for (const row of rows) {
        const head = { id: textOf(row['ipcm_id'] ?? row['id']), from: textOf(row['from']), to: name };
        found.push({ ...head, stamp: numberOf(row['stamp']) ?? 0 });
      }
    }
    return found;
  }

  async reap(): Promise<Reaped[]> {
    await this.#backend.session.checkPresent();
    return reapAll(this.#backend);
  }

  reaped(): Awaitable<Reaped[]> {
    return andThen(this.#ask('read who was reaped', this.#backend.statements.reaped), ({ rows }) =>
      rows.map((row) => ({
        name: textOf(row['name']),
        pid: numberOf(row['pid']),
        lost: numberOf(row['lost']) ?? 0,
      })),
    );
  }

  watchPeers(wake: () => void): () => void {
    return this.#backend.wakeup.watchPeers(wake);
  }

  async connect(given: ConnectRequest): Promise<Connection> {
    const backend = this.#backend;
    const { name, report } = given;
    const request = { ...given, identity: backend.identify?.(given.identity) ?? given.identity };
    backend.checkName(name);
    await backend.session.checkPresent();
    const joined = backend.tenure?.coming();
    const { reaped, active } = await backend.session.write('connect', () => take(backend, request));
    if (reaped !== undefined) report.reaped(reaped);
    const connection = new SqlConnection(backend, this.#options, request, {
      active,
      tenancy: joined?.(name, processColumn(request)),
    });
    try {
      backend.wakeup.enter(name);
    } catch (error) {
      connection.closeSync();
      throw error;
    }
    backend.wakeup.ringPeers();
    return connection;
  }

  own(owner: ProcessIdentity, guard: boolean): Awaitable<void> {
    return this.#backend.own?.(owner, guard);
  }

  holds(): readonly Stream[] {
    return this.#backend.holds?.() ?? [];
  }

  remove(): Awaitable<void> {
    return this.#backend.remove();
  }

  removeSync(): boolean {
    return this.#backend.removeSync();
  }

  close(): Awaitable<void> {
    return this.#backend.close();
  }

  #ask(doing: string, statement: Statement, ...values: Value[]): Awaitable<Result> {
    const { session } = this.#backend;
    return andThen(session.checkPresent(), () => session.one(doing, { statement, values }));
  }
}
