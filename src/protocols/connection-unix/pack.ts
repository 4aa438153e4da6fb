/**
 * Frames into buffers, as few as possible for one write: small messages are copied into one buffer behind each other, large
 * ones are written from where they are.
 *
 * The buffer is used again when the kernel has taken it. Where the kernel takes it bit by bit it is lent to the socket until
 * then. A fresh one for each write would cost more than the write, and heap up until the next garbage collection.
 */
import type { Outgoing } from '../../protocol/protocol.ts';

/** Bytes of a frame's head, which tells its length. */
export const headSize = 4;

/** From this size on a copy costs more than another entry in the list of buffers of a write. */
const large = 32 * 1024;

/** Smallest scratch buffer. */
const smallest = 64 * 1024;
/** Larger ones are not kept. */
const largestKept = 2 * 1024 * 1024;

const none = Buffer.alloc(0);

/** Packs frames; one for all connections of a client. */
export class Packer {
  #scratch: Buffer = none;

  /**
   * The buffers of a batch, with `first` as a frame before it. Valid until the next call, unless lent; what of the batch
   * lies behind each other with room for the heads is written from where it is, and valid as long as that.
   */
  pack(batch: readonly Outgoing[], first?: Uint8Array): Buffer[] {
    const inPlace = first === undefined ? framesInPlace(batch) : undefined;
    if (inPlace !== undefined) return [inPlace];
    let packed = first === undefined ? 0 : 4 + first.length;
    for (const { bytes } of batch) packed += bytes.length < large ? 4 + bytes.length : 4;
    if (packed > this.#scratch.length) {
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(smallest, 2 ** Math.ceil(Math.log2(packed))));
    }
    const scratch = this.#scratch;
    const parts: Buffer[] = [];
    let at = 0;
    if (first !== undefined) {
      at = head(scratch, at, first.length);
      scratch.set(first, at);
      at += first.length;
    }
    let begin = 0;
    for (const { bytes, place } of batch) {
      if (place !== undefined && place.size >= large) {
        if (at > begin) parts.push(scratch.subarray(begin, at));
        begin = at;
        head(place.buffer, place.at - headSize, place.size);
        parts.push(place.buffer.subarray(place.at - headSize, place.at + place.size));
        continue;
      }
      at = head(scratch, at, bytes.length);
      if (bytes.length < large) {
        scratch.set(bytes, at);
        at += bytes.length;
      } else {
        parts.push(scratch.subarray(begin, at), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
        begin = at;
      }
    }
    if (at > begin) parts.push(scratch.subarray(begin, at));
    if (scratch.length > largestKept) this.lend();
    return parts;
  }

  /** What was packed last is still needed: the next call gets another buffer. Returns it, to be given back. */
  lend(): Buffer {
    const lent = this.#scratch;
    this.#scratch = none;
    return lent;
  }

  /** A lent buffer is not needed any more. */
  giveBack(lent: Buffer): void {
    if (lent.length <= largestKept && lent.length > this.#scratch.length) this.#scratch = lent;
  }
}

function head(buffer: Buffer, at: number, length: number): number {
  buffer[at] = length >>> 24;
  buffer[at + 1] = length >>> 16;
  buffer[at + 2] = length >>> 8;
  buffer[at + 3] = length;
  return at + 4;
}

/** The frames of messages that all lie behind each other. */
function framesInPlace(batch: readonly Outgoing[]): Buffer | undefined {
  const start = batch[0]?.place;
  if (start === undefined) return undefined;
  const { buffer } = start;
  let end = start.at - headSize;
  for (const { place } of batch) {
    if (place === undefined || place.buffer !== buffer || place.at !== end + headSize) return undefined;
    head(buffer, end, place.size);
    end = place.at + place.size;
  }
  return buffer.subarray(start.at - headSize, end);
}
