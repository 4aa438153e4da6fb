/** The errors of the bus for those of SQLite. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { IpcError, type ErrorCode } from '../../errors.ts';
import type { Place } from '../directory/files.ts';
import { DuplicateId } from '../sql/query.ts';
import { codeOf, codes } from './driver.ts';
import { isSameFile, type FileIdentity } from './route.ts';

/** The error for one of a library's. `doing` completes "cannot …". What is none of SQLite's stays as it is. */
export function explain(error: unknown, doing: string, place: Place, file: FileIdentity): unknown {
  const code = codeOf(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const { route } = place;
  const fail = (as: ErrorCode, why: string): IpcError =>
    new IpcError(as, `cannot ${doing}: ${why}`, { cause: error, ...place });
  if (code === codes.constraint && error.message.includes('ipcm_messages.id')) {
    return new DuplicateId(error.message, { cause: error });
  }
  if (code === codes.toobig) {
    return fail('IPCM_MESSAGE_TOO_LARGE', 'SQLite takes a thousand million bytes at most; send it in parts');
  }
  if (code === codes.notadb || code === codes.corrupt) {
    const what = code === codes.notadb ? 'is no SQLite database' : `is damaged (${error.message})`;
    return fail('IPCM_ROUTE_INVALID', `${route} ${what}; use another file`);
  }
  if (!isSameFile(route, file)) return fail('IPCM_STORE_MISSING', `there is no store at ${route} any more`);
  if (code === codes.error && /no such table: (?:main\.)?ipcm_/.test(error.message)) {
    return fail('IPCM_STORE_MISSING', `the store in ${route} has been removed`);
  }
  if (code === codes.full || (code === codes.ioerr && isDiskFull(route))) {
    return fail('IPCM_STORE_FULL', `no space is left for ${route}; free some, or use another route`);
  }
  return fail('IPCM_STORE_FAILED', `${route}: ${error.message}`);
}

/** The error when the lock was not to be had in time. */
export function locked(error: unknown, doing: string, place: Place, milliseconds: number): IpcError {
  const why =
    `another process has held the lock of ${place.route} for ${milliseconds} ms; let it end its transaction, ` +
    'or raise protocolOptions.lockTimeout';
  return new IpcError('IPCM_STORE_FAILED', `cannot ${doing}: ${why}`, { cause: error, ...place });
}

/** SQLite reports some writes that found no room (to its -shm file) as I/O errors. */
function isDiskFull(route: string): boolean {
  try {
    return statfsSync(dirname(route)).bavail === 0;
  } catch {
    // Gone or not to be asked: the error is told as it came.
    return false;
  }
}
