/** A handle of the caller's: the settings of a connection, as the library takes them, or a connection or a pool of mysql2. */
import { createHash } from 'node:crypto';
import type { Database } from '../sql-server/database.ts';

type Handle = NonNullable<ReturnType<Database['handle']>>;

/** Settings that lead somewhere, or say as whom; the others are kept for the library. */
const ours = ['host', 'port', 'socketPath', 'database', 'stream'];

/** Settings of the library that both libraries have and mean alike. */
const kept = ['user', 'password', 'ssl', 'connectTimeout', 'compress', 'allowPublicKeyRetrieval'];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** The settings with which a handle was made; undefined for what is none. */
function settingsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isObject(value)) return undefined;
  // mysql2: a pool or a connection, with promises around or not.
  const inner = value['pool'] ?? value['connection'] ?? value;
  const config = isObject(inner) ? inner['config'] : undefined;
  if (isObject(config)) return isObject(config['connectionConfig']) ? config['connectionConfig'] : config;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  return isPlain && (ours.some((name) => name in value) || 'user' in value) ? value : undefined;
}

/** Where a handle leads to. */
export function handleOf(value: unknown, driver: string): Handle | undefined {
  const settings = settingsOf(value);
  if (settings === undefined) return undefined;
  const text = (name: string): string | undefined => {
    const found = settings[name];
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  const socket = text('socketPath');
  const port = Number(settings['port']);
  const source = {
    driver,
    database: text('database'),
    // The libraries go by the network unless told of a socket, and so does who has a port.
    host: socket === undefined ? (text('host') ?? 'localhost') : undefined,
    port: socket === undefined ? (port > 0 ? port : 3306) : undefined,
    socket,
    kept: {},
  };
  const own = Object.fromEntries(
    kept.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]),
  );
  const key = createHash('sha256').update(JSON.stringify(own)).digest('hex');
  return { source, settings: own, key };
}
