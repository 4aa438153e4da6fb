/**
 * Frames into buffers, as few as possible for one write: small messages are copied into one buffer behind each other, large
 * ones are written from where they are.
 *
 * The buffer is used again when the kernel has taken it. Where the kernel takes it bit by bit it is lent to the socket until
 * then. A fresh one for each write would cost more than the write, and heap up until the next garbage collection.
 */
import type { Outgoing } from '../../protocol/protocol.ts';
import { framesInPlace, headSize, writeHead } from '../directory/framing.ts';

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
    let packed = first === undefined ? 0 : headSize + first.length;
    for (const { bytes } of batch) packed += headSize + (bytes.length < large ? bytes.length : 0);
    if (packed > this.#scratch.length) {
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(smallest, 2 ** Math.ceil(Math.log2(packed))));
    }
    const scratch = this.#scratch;
    const parts: Buffer[] = [];
    let at = 0;
    if (first !== undefined) {
      at = writeHead(scratch, at, first.length);
      scratch.set(first, at);
      at += first.length;
    }
    let begin = 0;
    for (const { bytes, place } of batch) {
      if (place !== undefined && place.size >= large) {
        if (at > begin) parts.push(scratch.subarray(begin, at));
        begin = at;
        writeHead(place.buffer, place.at - headSize, place.size);
        parts.push(place.buffer.subarray(place.at - headSize, place.at + place.size));
        continue;
      }
      at = writeHead(scratch, at, bytes.length);
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
