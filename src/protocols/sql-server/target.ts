/** Whom to connect to and as whom: from the route, the options, and what the database's own tools look at. */
import { createHash } from 'node:crypto';
import { userInfo } from 'node:os';
import { IpcError, quote } from '../../errors.ts';
import type { StoreOptions } from '../../protocol/protocol.ts';
import type { Database, Target } from './database.ts';
import { formatSource, parseRoute, type DataSource } from './data-source.ts';
import type { Patience } from './session.ts';

/** The options of a store on a server. */
export interface ServerOptions extends Patience {
  /** A handle of the caller's. */
  readonly handle: ReturnType<Database['handle']>;
  /** Seconds after which a host that is not heard of is gone. */
  readonly lease: number;
}

/** A year, in seconds. */
const longestLease = 31_536_000;

/** Checks the options. Throws `IPCM_INVALID_OPTION`. */
export function resolveOptions(database: Database, { protocolOptions }: StoreOptions): ServerOptions {
  const refuse = (why: string): never => {
    throw new IpcError('IPCM_INVALID_OPTION', `${database.name}: protocolOptions.${why}`, { protocol: database.name });
  };
  const { database: given, lease = 60, lockTimeout = 30_000, reconnectTimeout = 30_000 } = protocolOptions;
  const handle = given === undefined ? undefined : database.handle(given);
  // It may hold a password: not even its kind is told.
  if (given !== undefined && handle === undefined) refuse('database is no connection and no pool of the driver');
  if (typeof lease !== 'number' || !(lease >= 1 && lease <= longestLease))
    return refuse(`lease is a number of seconds from 1 to ${longestLease}, not ${quote(lease)}`);
  const milliseconds = (name: string, value: unknown): number =>
    typeof value === 'number' && value >= 0
      ? value
      : refuse(`${name} is a number of milliseconds, not ${quote(value)}`);
  return {
    handle,
    lease,
    lockTimeout: milliseconds('lockTimeout', lockTimeout),
    reconnectTimeout: milliseconds('reconnectTimeout', reconnectTimeout),
  };
}

/** Name of the user who runs this process, if it has one. */
export function systemUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the passwd file.
    return undefined;
  }
}

/** A password that `util.inspect` does not show. */
function hidden(pass: string | undefined): () => string | undefined {
  return () => pass;
}

/** The target of a route; `administrator` is who to be on a private server. */
export function targetOf(database: Database, route: string, options: StoreOptions, administrator?: string): Target {
  const parsed = parseRoute(route, database.words, database.name);
  const { source } = parsed;
  const own = administrator === undefined ? undefined : { user: administrator };
  const user = options.user ?? parsed.user ?? own?.user ?? database.defaultUser(source);
  const pass = options.pass ?? parsed.pass ?? (own === undefined ? database.defaultPass(source, user) : undefined);
  return { source, user, pass: hidden(pass), settings: undefined, key: keyOf(database, source, user, pass) };
}

/** The target of a handle. */
export function targetOfHandle(database: Database, handle: NonNullable<ServerOptions['handle']>): Target {
  const { source, settings, key } = handle;
  const whole = keyOf(database, source, undefined, key);
  const target = { source, user: undefined, pass: hidden(undefined), key: whole };
  // The driver's settings hold the password.
  return Object.defineProperty(target, 'settings', { value: settings, enumerable: false }) as typeof target & {
    readonly settings: unknown;
  };
}

function keyOf(database: Database, source: DataSource, user: string | undefined, secret: string | undefined): string {
  const text = JSON.stringify([formatSource(source, database.words), user, secret]);
  return `${database.name} ${createHash('sha256').update(text).digest('base64')}`;
}
