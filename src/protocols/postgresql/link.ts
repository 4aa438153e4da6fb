/** A connection by the driver `pg`. */
import { existsSync, readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Client, ClientConfig, QueryResult } from 'pg';
import type { Result, Row, Value } from '../sql/query.ts';
import type { Bound, Hints, Link, Target } from '../sql-server/database.ts';
import { folderOfSocket } from '../sql-server/private/folder.ts';
import { exchange } from './exchange.ts';
import { telling } from './schema.ts';

/** Milliseconds for a connection to be made. */
const connecting = 15_000;

/** Milliseconds for the server to end a connection. */
const farewell = 1000;

/**
 * Set on each connection. A lock that does not come in time is asked for again by us, so that a deadlock with whatever else is
 * in the database ends. Every statement goes along an index, whatever the planner thinks of tables that were empty just now.
 */
export const setup = [
  "SET bytea_output = 'hex'",
  "SET default_transaction_isolation = 'read committed'",
  'SET lock_timeout = 1000',
  'SET enable_seqscan = off',
  'SET enable_bitmapscan = off',
  'SET plan_cache_mode = force_generic_plan',
  `SET ${telling} = 'yes'`,
];

/** On a private server nobody else is harmed when the foreign keys are not checked, which costs as much as the insert. */
const trusting =
  "SELECT set_config('session_replication_role', 'replica', false) FROM pg_roles WHERE rolname = current_user AND rolsuper";

/** By the type's number in pg_type: bool, bytea, int8, int2, int4, oid, float4, float8, numeric. */
const parsers = new Map<number, (text: string) => unknown>([
  [16, (text) => text === 't'],
  [17, (text) => Buffer.from(text.slice(2), 'hex')],
  ...[20, 21, 23, 26, 700, 701, 1700].map((type) => [type, Number] as const),
]);
const asText = (text: string): unknown => text;
const types = { getTypeParser: (type: number) => parsers.get(type) ?? asText };

/** What of the driver's client is used beyond its published types. */
interface Inside {
  readonly connection: {
    readonly stream: {
      readonly writableLength: number;
      readonly encrypted?: boolean;
      readonly _handle?: { readonly fd?: number } | null;
      ref(): void;
      unref(): void;
      destroy(): void;
    };
  };
}

/** The driver's settings for a target. */
function settingsOf({ source, user, pass }: Target): ClientConfig {
  const { host, port, database, kept } = source;
  const password = pass();
  return {
    ...((host ?? process.env['PGHOST']) === undefined ? defaultHost() : host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(kept['options'] === undefined ? {} : { options: kept['options'] }),
    ...encryption(kept),
  };
}

/** libpq takes a socket where there is one, and so does the reference. */
function defaultHost(): ClientConfig {
  const port = process.env['PGPORT'] ?? '5432';
  const folder = ['/var/run/postgresql', '/tmp'].find((each) => existsSync(`${each}/.s.PGSQL.${port}`));
  return folder === undefined ? {} : { host: folder };
}

function encryption(kept: Readonly<Record<string, string>>): ClientConfig {
  const mode = kept['sslmode'];
  if (mode === undefined) return {};
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return { ssl: false };
  const options: ConnectionOptions = { rejectUnauthorized: mode !== 'require' };
  for (const [key, name] of [
    ['sslrootcert', 'ca'],
    ['sslcert', 'cert'],
    ['sslkey', 'key'],
  ] as const) {
    const file = kept[key];
    if (file !== undefined) options[name] = readFileSync(file);
  }
  if (mode === 'verify-ca') options.checkServerIdentity = () => undefined;
  return { ssl: options };
}

/** Connects. */
export async function connect(target: Target, name: string): Promise<Link> {
  const { default: pg } = await import('pg');
  const settings = (target.settings as ClientConfig | undefined) ?? settingsOf(target);
  const config: ClientConfig & { readonly pipeline: boolean } = {
    ...settings,
    // Not enumerable in settings of a handle.
    password: settings.password,
    types,
    application_name: name,
    connectionTimeoutMillis: connecting,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Statements follow each other without waiting for the answers.
    pipeline: true,
  };
  const client = new pg.Client(config);
  const link = new PgLink(client, name);
  try {
    await client.connect();
    const isPrivate = folderOfSocket(target.source.host) !== undefined;
    await client.query([...setup, ...(isPrivate ? [trusting] : [])].join('; '));
  } catch (error) {
    await link.close();
    throw error;
  }
  return link;
}

class PgLink implements Link {
  readonly tag: string;
  readonly hints: Hints;
  readonly direct = true;
  readonly #client: Client;
  readonly #names = new Map<string, string>();
  #pending = 0;
  #isLost = false;
  #ended: () => void = () => undefined;

  constructor(client: Client, tag: string) {
    this.tag = tag;
    this.#client = client;
    const ended = (): void => {
      if (this.#isLost) return;
      this.#isLost = true;
      this.#ended();
    };
    // What went wrong is told by each statement that was under way.
    client.on('error', ended);
    client.on('end', ended);
    this.hints = {
      listen: async (channel) => void (await client.query(`LISTEN "${channel}"`)),
      unlisten: async (channel) => void (await client.query(`UNLISTEN "${channel}"`)),
      onHint: (listener) => void client.on('notification', ({ channel }) => listener(channel)),
    };
  }

  run({ text, values }: Bound): Promise<Result> {
    this.#pending++;
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, result: QueryResult<Row>): void => {
        this.#pending--;
        if (error !== null) reject(error);
        else resolve(outcome(result));
      };
      // Prepared once for each connection, but for what begins and ends transactions.
      if (values.length === 0) this.#client.query(text, done as (error: Error, result: QueryResult<Row>) => void);
      else {
        const query = { name: this.#nameOf(text), text, values: values as Value[] };
        this.#client.query(query, done as (error: Error, result: QueryResult<Row>) => void);
      }
    });
  }

  onLost(listener: () => void): void {
    this.#ended = listener;
    if (this.#isLost) listener();
  }

  hold(yes: boolean): void {
    const { stream } = (this.#client as unknown as Inside).connection;
    if (yes) stream.ref();
    else stream.unref();
  }

  runSync(bound: Bound, milliseconds: number): Result | undefined {
    const { stream } = (this.#client as unknown as Inside).connection;
    const descriptor = stream._handle?.fd;
    const isBusy = stream.writableLength > 0;
    if (this.#isLost || isBusy || stream.encrypted === true || descriptor === undefined || descriptor < 0)
      return undefined;
    const answers = this.#pending;
    // Nobody hears of those any more.
    this.#pending = 0;
    const changes = exchange(descriptor, bound, milliseconds, answers);
    return changes === undefined ? undefined : { rows: [], changes };
  }

  async close(): Promise<void> {
    const { stream } = (this.#client as unknown as Inside).connection;
    const late = setTimeout(() => stream.destroy(), farewell);
    try {
      await this.#client.end();
    } catch {
      // It was gone already.
    } finally {
      clearTimeout(late);
    }
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) this.#names.set(text, (name = `ipcm${this.#names.size}`));
    return name;
  }
}

/** Where a statement counts itself what it did, it says so in a column. */
function outcome({ rows, rowCount }: QueryResult<Row>): Result {
  const counted = rows[0]?.['changes'];
  return { rows, changes: typeof counted === 'number' ? counted : (rowCount ?? 0) };
}
