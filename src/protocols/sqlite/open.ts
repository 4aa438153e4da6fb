/** Making and opening stores. */
import { dirname } from 'node:path';
import { IpcError, quote } from '../../errors.ts';
import type { CreateOptions, StoreOptions } from '../../protocol/protocol.ts';
import { removeFile, removeTree, type Place } from '../directory/files.ts';
import { SqlStore } from '../sql/store.ts';
import { SqliteBackend } from './backend.ts';
import { cutsAtNul, fileOf, hasBuiltin, isHandle, opener, type SqliteHandle } from './driver.ts';
import { explain } from './errors.ts';
import { checkFile, isSameFile, makeFile, pathOf, type FileIdentity } from './route.ts';
import { complete, makeTables } from './schema.ts';
import { isFleeting, makeTemporary } from './temporary.ts';

/** Bare name of the protocol. */
export const name = 'SQLite';

/** Milliseconds to wait for the lock unless told otherwise. */
const defaultLockTimeout = 30_000;

/**
 * Set on each connection of our own. NORMAL in a write-ahead log survives a crash of any process, and of the machine but for
 * the last moments. A checkpoint of 4000 pages holds somebody up for some 15 ms, at the default of 1000 four times as often.
 */
const setup = ['wal_autocheckpoint = 4000', 'journal_size_limit = 16777216', 'trusted_schema = OFF'];

/** What `protocolOptions` may hold. */
interface SqliteOptions {
  /** A handle of the caller's. */
  readonly database: SqliteHandle | undefined;
  readonly lockTimeout: number;
}

function resolveOptions({ protocolOptions }: StoreOptions): SqliteOptions {
  const { database, lockTimeout = defaultLockTimeout } = protocolOptions;
  if (database !== undefined && !isHandle(database)) {
    const text = `${name}: protocolOptions.database is a DatabaseSync of node:sqlite or a Database of better-sqlite3, not ${quote(database)}`;
    throw new IpcError('IPCM_INVALID_OPTION', text, { protocol: name });
  }
  if (typeof lockTimeout !== 'number' || !(lockTimeout >= 0)) {
    const text = `${name}: protocolOptions.lockTimeout is a number of milliseconds, not ${quote(lockTimeout)}`;
    throw new IpcError('IPCM_INVALID_OPTION', text, { protocol: name });
  }
  return { database, lockTimeout };
}

/** Makes a store, or adopts the database that is there. */
export async function create(options: CreateOptions): Promise<SqlStore> {
  const resolved = resolveOptions(options);
  const { database } = resolved;
  if (database !== undefined) {
    const route = handleRoute(database, options.route);
    return make({ route, protocol: name }, options, resolved);
  }
  if (options.route !== undefined) {
    const place = { route: pathOf(options.route, name), protocol: name };
    const made = makeFile(place);
    return undoing(
      () => make(place, options, resolved),
      () => made && removeFile(place.route),
    );
  }
  const place = { route: makeTemporary(name, options.owner, options.guard), protocol: name };
  return undoing(
    () => {
      makeFile(place);
      return make(place, options, resolved);
    },
    () => removeTree(dirname(place.route)),
  );
}

/** Opens a store that somebody made. Throws `IPCM_STORE_MISSING`, `IPCM_ROUTE_INVALID`, `IPCM_ROUTE_UNSAFE`. */
export async function open(route: string, options: StoreOptions): Promise<SqlStore> {
  const resolved = resolveOptions(options);
  const place = { route: pathOf(route, name), protocol: name };
  const backend = await connect(place, resolved);
  return closing(backend, async () => {
    const found = await backend.session.write('open the store', complete);
    if (found === 'none') {
      const text = `there is no store in ${place.route}: the database has no tables of the bus`;
      throw new IpcError('IPCM_STORE_MISSING', text, { ...place });
    }
    return new SqlStore(backend, options);
  });
}

async function make(place: Place, options: CreateOptions, resolved: SqliteOptions): Promise<SqlStore> {
  const backend = await connect(place, resolved);
  return closing(backend, async () => {
    await backend.session.write('make the tables', makeTables);
    return new SqlStore(backend, options);
  });
}

async function connect(place: Place, { database, lockTimeout }: SqliteOptions): Promise<SqliteBackend> {
  const file = checkFile(place);
  const parts = { place, file, lockTimeout, cutsAtNul: await cutsAtNul() };
  if (database !== undefined) {
    checkHandle(database, place, file);
    return wrap(() => new SqliteBackend({ ...parts, handle: database, reopen: undefined }), place, file);
  }
  if (!hasBuiltin()) {
    const text = `${name} needs node:sqlite, which Node ${process.version} lacks; give a handle in protocolOptions.database`;
    throw new IpcError('IPCM_NOT_VIABLE', text, { ...place });
  }
  const openPath = await opener();
  const reopen = (): SqliteHandle => openPath(place.route);
  const handle = wrap(reopen, place, file);
  const backend = wrap(
    () => new SqliteBackend({ ...parts, handle, reopen }),
    place,
    file,
    () => handle.close(),
  );
  return closing(backend, async () => {
    // The mode is a property of the file. Whoever has it open in another one keeps it so, which works as well.
    await backend.session.pragma('journal_mode = WAL');
    for (const line of setup) await backend.session.pragma(line);
    await backend.session.pragma(`synchronous = ${isFleeting(place.route, name) ? 'OFF' : 'NORMAL'}`);
    return backend;
  });
}

function wrap<T>(action: () => T, place: Place, file: FileIdentity, undo?: () => unknown): T {
  try {
    return action();
  } catch (error) {
    undo?.();
    throw explain(error, 'open the database', place, file);
  }
}

/** The route of a caller's handle: its file. */
function handleRoute(handle: SqliteHandle, wished: string | undefined): string {
  const file = fileOf(handle);
  if (file !== undefined) return pathOf(file, name);
  if (wished !== undefined) return pathOf(wished, name);
  const text = `${name}: the database in protocolOptions.database has no file (or does not tell: give the route too), so that nobody else could connect`;
  throw new IpcError('IPCM_INVALID_OPTION', text, { protocol: name });
}

function checkHandle(handle: SqliteHandle, place: Place, file: FileIdentity): void {
  const own = fileOf(handle);
  if (own === undefined || isSameFile(pathOf(own, name), file)) return;
  const text = `${name}: the database in protocolOptions.database is ${own}, and the store is ${place.route}`;
  throw new IpcError('IPCM_INVALID_OPTION', text, { ...place });
}

async function closing<T>(backend: SqliteBackend, action: () => Promise<T>): Promise<T> {
  return undoing(action, () => backend.close());
}

async function undoing<T>(action: () => Promise<T>, undo: () => unknown): Promise<T> {
  try {
    return await action();
  } catch (error) {
    undo();
    throw error;
  }
}
