/** Reading one message file, trusting nothing about it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { IpcError, systemCode } from '../../errors.ts';
import type { Limits } from '../../protocol/protocol.ts';
import { isMissing, readFlags, readFully, type Place } from '../directory/files.ts';

/** Most messages fit: their files are read by one call, without asking for the size first. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * The bytes of a message file; undefined where it is gone. Throws `IPCM_MALFORMED_MESSAGE` for what is no regular file or
 * cannot be read, `IPCM_MESSAGE_TOO_LARGE` for what is over the limit, whose bytes are not read.
 */
export function readMessageFile(path: string, limits: Limits, place: Place): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(error, path, place);
  }
  try {
    const length = readSync(descriptor, scratch, 0, scratch.length, null);
    // Full, there may be more; empty, it may be a FIFO, which reads so while nobody writes. Else it is all there is.
    if (length > 0 && length < scratch.length && length <= limits.maxMessageBytes)
      return Buffer.from(scratch.subarray(0, length));
    const state = fstatSync(descriptor);
    if (!state.isFile()) throw malformed('no regular file', path, place);
    if (state.size > limits.maxMessageBytes) throw tooLarge(state.size, path, limits, place);
    const bytes = Buffer.allocUnsafe(state.size);
    return bytes.subarray(0, readFully(descriptor, bytes, 0));
  } catch (error) {
    throw unreadable(error, path, place);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(error: unknown, path: string, place: Place): unknown {
  if (error instanceof IpcError) return error;
  switch (systemCode(error)) {
    case 'ELOOP':
      return malformed('a symbolic link', path, place, error);
    case 'EISDIR':
      return malformed('a directory', path, place, error);
    case 'ENXIO':
    case 'EAGAIN':
    case 'ESPIPE':
      return malformed('no regular file', path, place, error);
    case 'EACCES':
    case 'EPERM':
      return malformed('not ours to read', path, place, error);
    default:
      return error;
  }
}

function malformed(what: string, path: string, place: Place, cause?: unknown): IpcError {
  return new IpcError('IPCM_MALFORMED_MESSAGE', `${path} is ${what}, not a message: moved to .ipcm/rejected`, {
    cause,
    ...place,
  });
}

function tooLarge(size: number, path: string, limits: Limits, place: Place): IpcError {
  const text = `${path} has ${size} bytes, over the limit of ${limits.maxMessageBytes}: moved to .ipcm/rejected; raise maxMessageBytes`;
  return new IpcError('IPCM_MESSAGE_TOO_LARGE', text, place);
}
