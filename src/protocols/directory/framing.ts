/** Messages in one piece: each with four bytes of length before it, the highest first. */
import type { Outgoing } from '../../protocol/protocol.ts';

/** Bytes of a head, which tells the length of what follows. */
export const headSize = 4;

/** Writes a head; returns where it ends. */
export function writeHead(into: Uint8Array, at: number, length: number): number {
  into[at] = length >>> 24;
  into[at + 1] = length >>> 16;
  into[at + 2] = length >>> 8;
  into[at + 3] = length;
  return at + headSize;
}

/** The length that a head tells. */
export function readHead(from: Uint8Array, at: number): number {
  return (from[at] ?? 0) * 2 ** 24 + (((from[at + 1] ?? 0) << 16) | ((from[at + 2] ?? 0) << 8) | (from[at + 3] ?? 0));
}

/** The frames of some messages of a batch that lie behind each other with room for the heads; undefined where they do not. */
export function framesInPlace(batch: readonly Outgoing[], first = 0, last = batch.length): Buffer | undefined {
  const start = batch[first]?.place;
  if (start === undefined) return undefined;
  const { buffer } = start;
  let end = start.at - headSize;
  for (let n = first; n < last; n++) {
    const place = batch[n]?.place;
    if (place?.buffer !== buffer || place.at !== end + headSize) return undefined;
    writeHead(buffer, end, place.size);
    end = place.at + place.size;
  }
  return buffer.subarray(start.at - headSize, end);
}
