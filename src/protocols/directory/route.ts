/**
 * Making and opening the directory that is a store.
 *
 * Whoever can write to that directory can read, forge and drop messages, so a route is used only where nobody else can: a
 * real directory (no symbolic link), ours, and writable by its owner alone.
 */
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, statfsSync, type Dirent } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { IpcError, quote, systemCode } from '../../errors.ts';
import { isMissing, look, storeError, type Place } from './files.ts';
import { isEntryName, sidecars } from './names.ts';
import { hiddenFolder, readOwner } from './owner.ts';

/** What all temporary routes begin with. */
export const temporaryPrefix = 'ipcm-';

/** Which directory a route was when it was opened: a path can be made anew, device and inode tell. */
export interface RouteIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  /** The id in the owner's record, where there is one. */
  readonly id: string | undefined;
}

function problem(
  code: 'IPCM_ROUTE_INVALID' | 'IPCM_ROUTE_UNSAFE' | 'IPCM_STORE_MISSING',
  text: string,
  place: Place,
  cause?: unknown,
): IpcError {
  return new IpcError(code, text, { cause, ...place });
}

/** True for a URL and a data source name: no path is meant by it, and a password may be in it. */
export function isAddress(route: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|dbi:)/i.test(route);
}

/** The absolute form of a route as a user gave it, for processes whose working directories differ. */
export function normalRoute(route: string, protocol: string): string {
  if (typeof route !== 'string' || route === '' || route.includes('\0')) {
    throw problem('IPCM_ROUTE_INVALID', `${quote(route)} is no directory name`, { route: String(route), protocol });
  }
  if (isAddress(route)) {
    const text = `${quote(route)} is the address of a database, and a store of ${protocol} is a directory; name the protocol`;
    throw problem('IPCM_ROUTE_INVALID', text, { route, protocol });
  }
  // Also drops a trailing slash, behind which lstat(2) would follow a symbolic link.
  return resolve(route);
}

/** Throws unless a directory is there that nobody else can tamper with. */
export function checkRoute(place: Place): RouteIdentity {
  const { route } = place;
  let state;
  try {
    state = look(route);
  } catch (error) {
    throw storeError(error, 'look', place);
  }
  if (state === undefined)
    throw problem('IPCM_STORE_MISSING', `there is no store at ${route}: it was never made, or has been removed`, place);
  if (state.isSymbolicLink()) {
    throw problem(
      'IPCM_ROUTE_UNSAFE',
      `${route} is a symbolic link, which can be turned elsewhere at any time; use the directory that it names`,
      place,
    );
  }
  if (!state.isDirectory())
    throw problem('IPCM_ROUTE_INVALID', `${route} is not a directory; ${place.protocol} needs one`, place);
  const uid = process.getuid?.();
  if (uid !== undefined && state.uid !== BigInt(uid)) {
    throw problem(
      'IPCM_ROUTE_UNSAFE',
      `${route} belongs to user ${state.uid}, this process runs as user ${uid}; use a directory of your own`,
      place,
    );
  }
  if ((state.mode & 0o022n) !== 0n) {
    const mode = (state.mode & 0o7777n).toString(8).padStart(4, '0');
    throw problem(
      'IPCM_ROUTE_UNSAFE',
      `others can write to ${route} (mode ${mode}); chmod 0700 it, or use another directory`,
      place,
    );
  }
  try {
    return { device: state.dev, inode: state.ino, id: readOwner(route)?.id };
  } catch (error) {
    throw storeError(error, 'read who owns the store', place);
  }
}

/** True when the directory at the route is still the one that was opened. */
export function isSameRoute(route: string, identity: RouteIdentity): boolean {
  const state = look(route);
  if (state === undefined || !state.isDirectory() || state.dev !== identity.device || state.ino !== identity.inode)
    return false;
  return identity.id === undefined || readOwner(route)?.id === identity.id;
}

/** Makes a directory for a store (true), or adopts one that is empty or a store already (false). */
export function makeRoute(place: Place, isEntry: (entry: Dirent) => boolean): boolean {
  try {
    mkdirSync(place.route, { mode: 0o700 });
    return true;
  } catch (error) {
    if (isMissing(error))
      throw problem(
        'IPCM_ROUTE_INVALID',
        `cannot make ${place.route}: its parent is no directory; make that first`,
        place,
        error,
      );
    if (systemCode(error) !== 'EEXIST') throw storeError(error, 'make the directory', place);
  }
  checkRoute(place);
  const foreign = foreignEntry(place.route, isEntry);
  if (foreign === undefined) return false;

  const why = `it holds ${quote(foreign)}, which is no part of a ${place.protocol} store, and a store is removed with everything in it`;
  throw problem(
    'IPCM_ROUTE_INVALID',
    `${place.route} cannot become a store: ${why}; use an empty or a new directory`,
    place,
  );
}

/** Something that makes a directory no store: neither a client's entry, nor a sidecar, nor hidden. */
function foreignEntry(route: string, isEntry: (entry: Dirent) => boolean): string | undefined {
  const entries = readdirSync(route, { withFileTypes: true });
  const names = new Set(entries.map((entry) => entry.name));
  let alone: string | undefined;
  for (const entry of entries) {
    const { name } = entry;
    if (name === hiddenFolder || name.startsWith('_')) continue;
    if (!isEntryName(name)) {
      if (name.startsWith('.')) alone ??= name;
      else if (!entry.isFile()) return name;
    } else if (!isEntry(entry)) return name;
    else if (!sidecars.some((suffix) => names.has(name + suffix))) alone ??= name;
  }
  // Folders without a sidecar and dot files prove nothing: that may be anybody's directory. Nor does our folder alone, which a
  // client makes wherever its info leads it: only who made a store says so there.
  return readOwner(route) === undefined ? alone : undefined;
}

/** Least free space for a store in memory. */
const roomy = 512 * 1024 * 1024;

/**
 * Where a temporary store goes: `TMPDIR` if set, else memory if there is plenty (a message file costs a tenth there of what
 * it costs on ext4), else the system's temporary directory.
 */
export function temporaryRoot(): string {
  const wished = process.env['TMPDIR'];
  if (wished !== undefined && wished !== '') return resolve(wished);
  return isRoomy('/dev/shm') ? '/dev/shm' : tmpdir();
}

/** True for a directory that can be written to and has plenty of free space. */
export function isRoomy(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize >= roomy;
  } catch {
    // Not Linux, or a container without it: the usual place does.
    return false;
  }
}

/** All places where temporary stores may lie. */
export function temporaryRoots(): string[] {
  return [...new Set([temporaryRoot(), '/dev/shm', tmpdir(), '/tmp'])];
}

/** Makes a private temporary directory for a store. */
export function makeTemporaryRoute(protocol: string): string {
  const root = temporaryRoot();
  try {
    return mkdtempSync(`${root}/${temporaryPrefix}`);
  } catch (error) {
    const place = { route: root, protocol };
    if (!isMissing(error)) throw storeError(error, 'make a temporary directory', place);
    const text = `cannot make a temporary directory: ${root} is no directory; set TMPDIR to one, or name a route`;
    throw problem('IPCM_ROUTE_INVALID', text, place, error);
  }
}
