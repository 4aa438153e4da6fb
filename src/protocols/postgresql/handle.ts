/** A client or a pool of `pg` that the caller gives: where it leads to. Connections of our own are made with its settings. */
import type { ClientConfig } from 'pg';
import type { DataSource } from '../sql-server/data-source.ts';
import type { Database } from '../sql-server/database.ts';

/** What a client of the driver knows of itself. */
interface ClientShape {
  readonly connectionParameters: { readonly [name: string]: unknown };
  readonly password?: unknown;
  query(): unknown;
}

interface PoolShape {
  readonly options: ClientConfig;
  readonly Client: new (config: ClientConfig) => unknown;
  query(): unknown;
}

function isClient(value: unknown): value is ClientShape {
  const { connectionParameters, query } = (value ?? {}) as Partial<ClientShape>;
  return typeof connectionParameters === 'object' && typeof query === 'function';
}

function isPool(value: unknown): value is PoolShape {
  const { options, Client, query } = (value ?? {}) as Partial<PoolShape>;
  return typeof options === 'object' && typeof Client === 'function' && typeof query === 'function';
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Numbers for those that are told apart by nothing else. */
const numbers = new WeakMap<object, number>();
let last = 0;

/** Where a handle leads to; undefined for what is none. */
export function handle(value: unknown): ReturnType<Database['handle']> {
  const client = isPool(value) ? new value.Client(value.options) : value;
  if (!isClient(client)) return undefined;
  const { host, port, database, user, ssl, options } = client.connectionParameters;
  const { password } = client;
  const source: DataSource = {
    driver: 'Pg',
    database: text(database),
    host: text(host),
    port: typeof port === 'number' ? port : undefined,
    socket: undefined,
    kept: text(options) === undefined ? {} : { options: String(options) },
  };
  // A password may be asked for by a function, which only the driver can call.
  let number = typeof password === 'function' ? numbers.get(password) : 0;
  if (number === undefined && typeof password === 'function') numbers.set(password, (number = ++last));
  const settings = { host, port, database, user, ssl, options: text(options) };
  Object.defineProperty(settings, 'password', { value: password, enumerable: false });
  return { source, settings: Object.freeze(settings), key: JSON.stringify([user, text(password), number]) };
}
