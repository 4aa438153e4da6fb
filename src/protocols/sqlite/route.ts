/**
 * The file that is a store.
 *
 * Whoever can write to it can read, forge and drop messages, so it is used only where nobody else can: a regular file (no
 * symbolic link), ours, writable by its owner alone, in a directory where others cannot put another one in its place.
 *
 * A file of the database is never opened here once SQLite has it open: closing any descriptor of a file gives up all locks
 * that the process has on it (fcntl(2), close(2)), those of SQLite too.
 */
import { closeSync, lstatSync, openSync, statSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { IpcError, quote, systemCode, type ErrorCode } from '../../errors.ts';
import { createFlags, isMissing, storeError, type Place } from '../directory/files.ts';
import { isAddress } from '../directory/route.ts';

/** Which file it was when it was opened: a path can be made anew. While it is open, its inode number is not used again. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

/** What SQLite puts beside a database. */
export const besides = ['-wal', '-shm', '-journal'] as const;

function problem(code: ErrorCode, text: string, place: Place, cause?: unknown): IpcError {
  return new IpcError(code, text, { cause, ...place });
}

/** The path of a route, which may also be a data source name (`dbi:SQLite:dbname=/path`). */
export function pathOf(route: string, protocol: string): string {
  const [, rest] = /^dbi:SQLite(?:\([^)]*\))?:(.*)$/is.exec(String(route)) ?? [];
  const named = rest === undefined ? undefined : /(?:^|;)(?:dbname|database|db)=([^;]*)/i.exec(rest)?.[1];
  const path = named ?? rest ?? route;
  if (typeof path !== 'string' || path === '' || path.includes('\0') || path === ':memory:') {
    throw problem('IPCM_ROUTE_INVALID', `${quote(route)} names no file`, { route: String(route), protocol });
  }
  if (isAddress(path)) {
    const text = `${quote(route)} is the address of another database, and a store of ${protocol} is a file; name the protocol`;
    throw problem('IPCM_ROUTE_INVALID', text, { route: String(route), protocol });
  }
  return resolve(path);
}

/** Path of the hidden folder beside a database. */
export function folderBeside(path: string): string {
  return `${dirname(path)}/.${path.slice(path.lastIndexOf('/') + 1)}.ipcm`;
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

/** True when the file that was opened is still at its path. */
export function isSameFile(path: string, { device, inode }: FileIdentity): boolean {
  const state = lookAt(path);
  return state !== undefined && state.dev === device && state.ino === inode;
}

/** Throws unless a file is there that nobody else can tamper with. */
export function checkFile(place: Place): FileIdentity {
  const { route } = place;
  let state: Stats | undefined;
  try {
    state = lookAt(route);
    if (state === undefined) {
      throw problem(
        'IPCM_STORE_MISSING',
        `there is no store at ${route}: it was never made, or has been removed`,
        place,
      );
    }
    checkFolder(place);
    checkOwn(route, state, place);
    // Where anybody may make files, somebody could have laid these out for us.
    for (const suffix of besides) {
      const beside = lookAt(route + suffix);
      if (beside !== undefined) checkOwn(route + suffix, beside, place);
    }
  } catch (error) {
    throw storeError(error, 'look at the file', place);
  }
  return { device: state.dev, inode: state.ino };
}

function checkOwn(path: string, state: Stats, place: Place): void {
  if (state.isSymbolicLink()) {
    const text = `${path} is a symbolic link, which can be turned elsewhere at any time; use the file that it names`;
    throw problem('IPCM_ROUTE_UNSAFE', text, place);
  }
  if (!state.isFile()) throw problem('IPCM_ROUTE_INVALID', `${path} is no file; ${place.protocol} needs one`, place);
  const uid = process.getuid?.();
  if (uid !== undefined && state.uid !== uid) {
    const text = `${path} belongs to user ${state.uid}, this process runs as user ${uid}; use a file of your own`;
    throw problem('IPCM_ROUTE_UNSAFE', text, place);
  }
  if ((state.mode & 0o022) !== 0) {
    const text = `others can write to ${path} (mode ${octal(state.mode)}); chmod 0600 it, or use another file`;
    throw problem('IPCM_ROUTE_UNSAFE', text, place);
  }
}

/** Throws where others could replace files of ours: in a directory that is somebody else's, or that all may change. */
function checkFolder(place: Place): void {
  const folder = dirname(place.route);
  const state = statSync(folder);
  const uid = process.getuid?.();
  if (uid !== undefined && state.uid !== uid && state.uid !== 0) {
    const text = `${folder} belongs to user ${state.uid}, who can replace what is in it; use a directory of your own`;
    throw problem('IPCM_ROUTE_UNSAFE', text, place);
  }
  // The sticky bit, as on /tmp: all may make files there, and remove only their own.
  if ((state.mode & 0o022) !== 0 && (state.mode & 0o1000) === 0) {
    const text = `others can replace files in ${folder} (mode ${octal(state.mode)}); chmod 0700 it, or use another directory`;
    throw problem('IPCM_ROUTE_UNSAFE', text, place);
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** Makes an empty private file (true), or leaves what is there to be looked at (false). */
export function makeFile(place: Place): boolean {
  try {
    if (lookAt(place.route) !== undefined) return false;
    checkFolder(place);
    closeSync(openSync(place.route, createFlags, 0o600));
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    if (isMissing(error)) {
      const text = `cannot make ${place.route}: its parent is no directory; make that first`;
      throw problem('IPCM_ROUTE_INVALID', text, place, error);
    }
    throw storeError(error, 'make the file', place);
  }
}
