/**
 * `NAME.resume`: messages put back, each a 4-byte big-endian length and the serialized message. It may be torn (its writer
 * was killed) or hostile, so it is read frame by frame, and a length is believed only as far as the file and the limit go.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { IpcError, systemCode } from '../../errors.ts';
import type { Limits } from '../../protocol/protocol.ts';
import { isMissing, readFlags, readFully, writeAll, type Place } from './files.ts';

/** What {@link readFrames} meets on its way. */
export interface FrameReader {
  /** One whole frame; return false to stop. */
  frame(bytes: Buffer): boolean | void;
  /** Something that is no frame, and was skipped. */
  rejected?(error: IpcError): void;
}

/** Appends frames. One write(2): after a kill at most the tail is missing, which readers notice. */
export function appendFrames(path: string, messages: readonly Uint8Array[]): void {
  const parts: Uint8Array[] = [];
  for (const bytes of messages) {
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(bytes.length);
    parts.push(head, bytes);
  }
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const descriptor = openSync(path, flags, 0o600);
  try {
    writeAll(descriptor, Buffer.concat(parts));
  } finally {
    closeSync(descriptor);
  }
}

/** Reads the frames of a resume file, in order; nothing where there is none. */
export function readFrames(path: string, limits: Limits, place: Place, reader: FrameReader): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch (error) {
    if (isMissing(error) || systemCode(error) === 'ELOOP' || systemCode(error) === 'ENXIO') return;
    throw error;
  }
  try {
    const state = fstatSync(descriptor);
    if (!state.isFile()) return;
    const head = Buffer.alloc(4);
    let offset = 0;
    while (offset < state.size) {
      if (offset + 4 > state.size) return torn(reader, path, place, state.size - offset);
      readFully(descriptor, head, offset);
      const length = head.readUInt32BE();
      offset += 4;
      if (length > state.size - offset) return torn(reader, path, place, state.size - offset);
      if (length > limits.maxMessageBytes) {
        const text = `a requeued message of ${length} bytes in ${path} is over the limit of ${limits.maxMessageBytes}: dropped`;
        reader.rejected?.(new IpcError('IPCM_MESSAGE_TOO_LARGE', text, place));
      } else {
        const bytes = Buffer.allocUnsafe(length);
        if (readFully(descriptor, bytes, offset) < length) return torn(reader, path, place, length);
        if (reader.frame(bytes) === false) return;
      }
      offset += length;
    }
  } finally {
    closeSync(descriptor);
  }
}

function torn(reader: FrameReader, path: string, place: Place, left: number): void {
  const text = `${path} ends in ${left} bytes that are no whole message: its writer was interrupted; what came before is kept`;
  reader.rejected?.(new IpcError('IPCM_MALFORMED_MESSAGE', text, place));
}

/** How many whole frames a resume file holds. Lengths alone are read. */
export function countFrames(path: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch {
    // None, or not ours to read: nothing waits there.
    return 0;
  }
  try {
    const { size } = fstatSync(descriptor);
    const head = Buffer.alloc(4);
    let count = 0;
    for (let offset = 0; offset + 4 <= size; count++) {
      if (readFully(descriptor, head, offset) < 4) break;
      offset += 4 + head.readUInt32BE();
      if (offset > size) break;
    }
    return count;
  } finally {
    closeSync(descriptor);
  }
}
