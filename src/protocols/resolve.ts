/** From the name of a protocol to the protocol; each is imported when it is first asked for. */
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { IpcError, quote } from '../errors.ts';
import type { Protocol } from '../protocol/protocol.ts';

const prefix = 'IPC::Manager::Client::';

/** The built-in protocols, in the order in which one is picked when the caller does not care. */
const builtin: readonly (readonly [string, () => Promise<{ readonly protocol: Protocol }>])[] = [
  ['AtomicPipe', () => import('./atomic-pipe/index.ts')],
  ['UnixSocket', () => import('./unix-socket/index.ts')],
  ['ConnectionUnix', () => import('./connection-unix/index.ts')],
  ['SQLite', () => import('./sqlite/index.ts')],
  ['PostgreSQL', () => import('./postgresql/index.ts')],
  ['MariaDB', () => import('./mariadb/index.ts')],
  ['MySQL', () => import('./mysql/index.ts')],
  ['MessageFiles', () => import('./message-files/index.ts')],
  ['LocalMemory', () => import('./local-memory/index.ts')],
];

/** Names of the built-in protocols. */
export const protocolNames: readonly string[] = builtin.map(([name]) => name);

/** What is tried, in order, when neither the caller nor a default names a protocol: all but the one in memory. */
export const standardProtocols: readonly string[] = protocolNames.filter((name) => name !== 'LocalMemory');

/** A protocol by name (`MessageFiles`, `IPC::Manager::Client::MessageFiles`, `+specifier`), or the object itself. */
export async function resolveProtocol(protocol: string | Protocol): Promise<Protocol> {
  if (typeof protocol !== 'string') return checkProtocol(protocol, 'the object given');
  if (protocol.startsWith('+')) return importProtocol(protocol);
  const name = protocol.startsWith(prefix) ? protocol.slice(prefix.length) : protocol;
  const entry = builtin.find(([known]) => known === name);
  if (entry !== undefined) return (await entry[1]()).protocol;
  const known = protocolNames.join(', ');
  const why = 'perhaps the store was made by a newer version of ipc-manager';
  throw new IpcError(
    'IPCM_UNKNOWN_PROTOCOL',
    `there is no protocol ${quote(protocol)}: ${why}. Known are ${known}; one of your own is "+" and its module specifier`,
    { protocol: name },
  );
}

/** Where protocols came from that were named by a module: other processes, in other directories, need the whole path. */
const imported = new WeakMap<Protocol, string>();

/** The protocol element of the connection info. */
export function infoName(protocol: Protocol): string {
  return imported.get(protocol) ?? protocol.className;
}

async function importProtocol(protocol: string): Promise<Protocol> {
  let module: unknown;
  let location: string;
  try {
    location = locate(protocol.slice(1));
    module = await import(location);
  } catch (error) {
    throw new IpcError('IPCM_UNKNOWN_PROTOCOL', `protocol ${quote(protocol)}: its module cannot be imported`, {
      cause: error,
    });
  }
  const { protocol: named, default: main } = module as { protocol?: unknown; default?: unknown };
  const found = checkProtocol(named ?? main, quote(protocol));
  imported.set(found, `+${location}`);
  return found;
}

/** A package name is looked up from the working directory, as the user's own code would. */
function locate(specifier: string): string {
  if (/^(?:file|data|node):/.test(specifier)) return specifier;
  const base = pathToFileURL(join(process.cwd(), 'noop.js'));
  if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, base).href;
  const { createRequire } = process.getBuiltinModule('node:module');
  return pathToFileURL(createRequire(base).resolve(specifier)).href;
}

function checkProtocol(value: unknown, what: string): Protocol {
  const candidate = value as Partial<Protocol> | null | undefined;
  if (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof candidate.className === 'string' &&
    typeof candidate.create === 'function' &&
    typeof candidate.open === 'function' &&
    typeof candidate.unviable === 'function' &&
    typeof candidate.capabilities === 'object'
  ) {
    return candidate as Protocol;
  }
  throw new IpcError(
    'IPCM_UNKNOWN_PROTOCOL',
    `${what} is no protocol: it lacks className, capabilities, unviable, create or open`,
  );
}
