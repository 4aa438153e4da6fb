/**
 * What goes through a pipe: chunks of a 16-byte header in native byte order (int32 pid, int32 tid, uint32 number of parts
 * that follow this one, uint32 size) and at most 4080 bytes of data. A write(2) of up to 4096 bytes (PIPE_BUF) is whole or
 * not at all, so whole chunks are written, one or several at once, and those of different writers never mix.
 */
import { endianness } from 'node:os';

/** Most bytes that Linux writes into a pipe as one. */
export const pipeBuf = 4096;

/** Bytes of the header. */
export const headerSize = 16;

/** Most data in a chunk. */
export const mostData = pipeBuf - headerSize;

/** Byte order of the headers. */
export const littleEndian = endianness() === 'LE';

/** Parts of the largest message that could be: no string of JavaScript is longer than half a gigabyte. */
const mostParts = 2 ** 30 / mostData;

/** False for a header that no writer writes. */
export function isPlausible(pid: number, part: number, size: number): boolean {
  return pid > 0 && size <= mostData && part <= mostParts && (size > 0 || part === 0);
}
