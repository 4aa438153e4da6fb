/** Making and opening stores on a server. */
import { existsSync } from 'node:fs';
import { IpcError, isIpcError } from '../../errors.ts';
import { isAlive } from '../../liveness/alive.ts';
import type { CreateOptions, StoreOptions } from '../../protocol/protocol.ts';
import type { Work } from '../sql/query.ts';
import { SqlStore } from '../sql/store.ts';
import { ServerBackend } from './backend.ts';
import type { Database, Target } from './database.ts';
import { formatSource } from './data-source.ts';
import { acquireLine } from './lines.ts';
import { folderOfSocket, foldersOf, privateOwner, readServer } from './private/folder.ts';
import { startPrivate, stopPrivate } from './private/server.ts';
import { resolveOptions, targetOf, targetOfHandle, type ServerOptions } from './target.ts';

/** Makes a store: in the database of the route or the handle, or on a private server. */
export async function create(database: Database, options: CreateOptions): Promise<SqlStore> {
  const resolved = resolveOptions(database, options);
  if (options.route !== undefined || resolved.handle !== undefined) {
    return make(database, await connect(database, options.route, options, resolved), options);
  }
  const { name: protocol, recipe } = database;
  const folder = await startPrivate(protocol, recipe, options);
  try {
    const route = formatSource(recipe.source(foldersOf(folder)), database.words);
    return await make(database, await connect(database, route, options, resolved), options);
  } catch (error) {
    await stopPrivate(folder, recipe);
    throw error;
  }
}

/** Opens a store that somebody made. Throws `IPCM_STORE_MISSING`, `IPCM_ROUTE_INVALID`, `IPCM_STORE_FAILED`. */
export async function open(database: Database, route: string, options: StoreOptions): Promise<SqlStore> {
  const backend = await connect(database, route, options, resolveOptions(database, options));
  return closing(backend, async () => {
    const { schema } = database;
    const found = await backend.session.read('open the store', () => schema.inspect());
    if (found === 'none' || (found === 'wire' && !(await change(backend, 'open the store', () => schema.complete())))) {
      const text = `there is no store in ${backend.route}: the database has no tables of the bus`;
      throw new IpcError('IPCM_STORE_MISSING', text, { route: backend.route, protocol: database.name });
    }
    await backend.settle();
    return new SqlStore(backend, options);
  });
}

async function make(database: Database, backend: ServerBackend, options: StoreOptions): Promise<SqlStore> {
  return closing(backend, async () => {
    await change(backend, 'make the tables', () => database.schema.make());
    await backend.settle();
    return new SqlStore(backend, options);
  });
}

/** Changes tables, in a transaction where that can be. */
function change<T>({ session, database: { schema } }: ServerBackend, doing: string, work: () => Work<T>): Promise<T> {
  return schema.commits === true ? session.read(doing, work) : session.write(doing, work);
}

async function connect(
  database: Database,
  route: string | undefined,
  options: StoreOptions,
  resolved: ServerOptions,
): Promise<ServerBackend> {
  const { name: protocol } = database;
  const target = targetFor(database, route, options, resolved);
  const { source } = target;
  const place = { route: formatSource(source, database.words), protocol };
  const folder = folderOfSocket(source.socket ?? source.host);
  const isPrivate = privateOwner(folder, protocol) !== undefined;
  if (folder !== undefined && !isPrivate && !existsSync(folder)) {
    const text = `there is no store at ${place.route}: its private server has ended`;
    throw new IpcError('IPCM_STORE_MISSING', text, { ...place });
  }
  const line = acquireLine(database, target);
  const { lockTimeout, reconnectTimeout, lease } = resolved;
  const patience = { lockTimeout, reconnectTimeout };
  const parts = { database, line, target, place, patience, lease, folder: isPrivate ? folder : undefined };
  const backend = new ServerBackend(parts);
  return closing(backend, async () => {
    try {
      await backend.session.open();
    } catch (error) {
      if (!isPrivate || folder === undefined || serverLives(folder)) throw error;
      const text = `there is no store at ${place.route}: its private server has ended`;
      throw new IpcError('IPCM_STORE_MISSING', text, { ...place, cause: isIpcError(error) ? error.cause : error });
    }
    return backend;
  });
}

function targetFor(
  database: Database,
  route: string | undefined,
  options: StoreOptions,
  { handle }: ServerOptions,
): Target {
  if (handle === undefined) {
    const target = targetOf(database, route ?? '', options);
    const folder = folderOfSocket(target.source.socket ?? target.source.host);
    if (privateOwner(folder, database.name) === undefined || folder === undefined) return target;
    return targetOf(database, route ?? '', options, readServer(folder)?.user);
  }
  const target = targetOfHandle(database, handle);
  if (route === undefined) return target;
  const [own, wished] = [target.source, targetOf(database, route, options).source].map((source) =>
    formatSource(source, database.words),
  );
  if (own === wished) return target;
  const text = `${database.name}: the handle in protocolOptions.database leads to ${own}, and the route is ${wished}; leave the route out`;
  throw new IpcError('IPCM_INVALID_OPTION', text, { protocol: database.name });
}

/** False when the server of a folder has ended, or the folder is gone. */
function serverLives(folder: string): boolean {
  const server = readServer(folder);
  return server !== undefined && isAlive(server.identity);
}

async function closing<T>(backend: ServerBackend, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await backend.close();
    throw error;
  }
}
