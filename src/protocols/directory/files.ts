/**
 * File operations as a store needs them: private at creation, whole or not at all, bounded, and with errors that say what
 * to do. Every call is synchronous: a file here is small and local, and the thread pool costs three to five times the call.
 */
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { IpcError, systemCode } from '../../errors.ts';

/** Which store an error is about. */
export interface Place {
  readonly route: string;
  /** Bare name of the protocol. */
  readonly protocol: string;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_WRONLY } = constants;

/** Opens for reading without following a symbolic link and without waiting for the writer of a FIFO. */
export const readFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
/** Makes a new file; fails if anything of that name is there. */
export const createFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/** The error of the bus for an error of the system. `doing` completes "cannot …". */
export function storeError(error: unknown, doing: string, place: Place): IpcError {
  if (error instanceof IpcError) return error;
  const facts = { cause: error, ...place };
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const why = code === 'EDQUOT' ? 'the quota is used up' : 'no space or no inodes are left';
    return new IpcError(
      'IPCM_STORE_FULL',
      `cannot ${doing} in ${place.route}: ${why}; free some, or use another route`,
      facts,
    );
  }
  if ((code === 'ENOENT' || code === 'ENOTDIR') && !isDirectory(place.route)) {
    return new IpcError('IPCM_STORE_MISSING', `cannot ${doing}: there is no store at ${place.route} any more`, facts);
  }
  const why = error instanceof Error ? error.message : String(error);
  return new IpcError('IPCM_STORE_FAILED', `cannot ${doing} in ${place.route}: ${why}`, facts);
}

/** True when `error` says that the file is not there. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Writes all bytes, also where the system takes them in parts. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  let written = writeSync(descriptor, bytes);
  while (written < bytes.length) written += writeSync(descriptor, bytes, written);
}

/** Makes a new private file with these bytes. Leaves nothing behind when it fails. */
export function writeNew(path: string, bytes: Uint8Array): void {
  const descriptor = openSync(path, createFlags, 0o600);
  try {
    writeAll(descriptor, bytes);
  } catch (error) {
    closeSync(descriptor);
    unlinkSync(path);
    throw error;
  }
  closeSync(descriptor);
}

/** Puts a file in place whole, over whatever is there: written at `staging` (same file system), then renamed. */
export function replaceFile(path: string, bytes: Uint8Array, staging: string): void {
  writeNew(staging, bytes);
  try {
    renameSync(staging, path);
  } catch (error) {
    removeFile(staging);
    throw error;
  }
}

/** Puts a file in place whole unless something is there; returns whether it did. */
export function placeFile(path: string, bytes: Uint8Array, staging: string): boolean {
  writeNew(staging, bytes);
  try {
    return linkOver(staging, path);
  } finally {
    removeFile(staging);
  }
}

/** Gives a file a second name unless that name is taken; returns whether it did. */
export function linkOver(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
  }
  // A file system without hard links: whoever looks in between sees an empty file, which counts as "not written yet".
  const bytes = readSmall(from, 4096) ?? new Uint8Array();
  try {
    writeNew(to, bytes);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The bytes of a small regular file, at most `limit` of them; undefined where there is no such file. */
export function readSmall(path: string, limit: number): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch (error) {
    const code = systemCode(error);
    // ELOOP: a symbolic link, ENXIO: a socket, ENAMETOOLONG: beside an entry that nobody of ours made.
    if (isMissing(error) || code === 'ELOOP' || code === 'ENXIO' || code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
  try {
    const state = fstatSync(descriptor);
    if (!state.isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(Math.min(limit, state.size));
    return bytes.subarray(0, readFully(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

/** Fills `bytes` from a descriptor; returns how many there were. */
export function readFully(descriptor: number, bytes: Uint8Array, position: number | null = null): number {
  let length = 0;
  while (length < bytes.length) {
    const at = position === null ? null : position + length;
    const more = readSync(descriptor, bytes, length, bytes.length - length, at);
    if (more === 0) break;
    length += more;
  }
  return length;
}

/** Removes a file; returns false where there was none. */
export function removeFile(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENAMETOOLONG') return false;
    throw error;
  }
}

/** Renames; returns false where the source is not there. */
export function moveFile(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Removes a file or a directory with everything in it; fine when it is gone. Symbolic links are removed, not followed. */
export function removeTree(path: string): void {
  try {
    rmdirSync(path);
    return;
  } catch (error) {
    // ENOTDIR is not missing here: an entry may be a FIFO or a socket.
    if (systemCode(error) === 'ENOENT') return;
  }
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes a directory if nothing is in it; false where it is still there. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    // ENOTEMPTY as a rule; whatever else keeps it is told when it is to be removed with all that is in it.
    return isMissing(error);
  }
}

/** Removes everything in a directory, and the directory where the system lets us. */
export function emptyDirectory(path: string): void {
  for (const file of list(path)) removeTree(`${path}/${file}`);
  try {
    rmdirSync(path);
  } catch {
    // EBUSY, EACCES: it is empty, which is as far as we can go.
  }
}

/** What is at a path, symbolic links not followed; undefined where there is nothing. */
export function look(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

/** True for a directory, reached without a symbolic link in its place. */
export function isDirectory(path: string): boolean {
  return look(path)?.isDirectory() === true;
}

/** The names in a directory; none where it is gone. */
export function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Makes a private directory; returns false where something of that name is there. */
export function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}
