/**
 * Fills writes with chunks: as many whole ones as 4096 bytes hold, of as many messages. Messages that lie behind each other
 * with room for a header before each are written from where they are. Of a long message several chunks of 4096 bytes go
 * into one write, where the kernel takes such a write in whole chunks.
 */
import type { Outgoing } from '../../protocol/protocol.ts';
import { headerSize, littleEndian, mostData, pipeBuf } from './chunk.ts';

const nothing = new Uint8Array(0);

/** A message to be packed. */
export type Packable = Pick<Outgoing, 'bytes' | 'place'>;

/** Where chunks are copied to that cannot be written from where they are; written at once, so one does for all. */
let copies = Buffer.allocUnsafeSlow(pipeBuf);
let viewOfCopies: DataView = new DataView(copies.buffer);

function enlargeCopies(size: number): void {
  copies = Buffer.allocUnsafeSlow(size);
  viewOfCopies = new DataView(copies.buffer);
}

/** Packs for one connection, which its tid tells from all others of the process. */
export class Packer {
  /** After `fill`: what to write, from `start` on. */
  source: Uint8Array = nothing;
  start = 0;
  /** After `fill`: the first message that is not packed whole. */
  next = 0;
  /** After `fill`: how many of that one's bytes are packed, in this write and those before it. */
  at = 0;
  #view = viewOfCopies;
  /** What messages were packed in last without being copied, and a view of it. */
  #slab: Uint8Array = nothing;
  #slabView = viewOfCopies;
  readonly #pid: number;
  readonly #tid: number;
  readonly #parts: number;

  /** `parts` of a long message go into one write at most. */
  constructor(pid: number, tid: number, parts = 1) {
    this.#pid = pid;
    this.#tid = tid;
    this.#parts = parts;
  }

  /** Finds what to write from byte `at` of message number `index` on; returns the length. */
  fill(messages: readonly Packable[], index: number, at: number): number {
    const inPlace = at === 0 ? this.#inPlace(messages, index) : 0;
    return inPlace > 0 ? inPlace : this.#copy(messages, index, at);
  }

  /** The same for messages that lie behind each other; 0 where a copy is shorter in the end. */
  #inPlace(messages: readonly Packable[], index: number): number {
    const first = messages[index]?.place;
    if (first === undefined || first.size > mostData) return 0;
    const { buffer } = first;
    const start = first.at - headerSize;
    this.#seeSlab(buffer);
    this.#header(start, 0, first.size);
    let end = first.at + first.size;
    let next = index + 1;
    for (; next < messages.length; next++) {
      const place = messages[next]?.place;
      const size = place?.size ?? messages[next]?.bytes.length ?? 0;
      if (end - start + headerSize + size > pipeBuf) break;
      if (place?.buffer !== buffer || place.at !== end + headerSize) return 0;
      this.#header(end, 0, size);
      end = place.at + size;
    }
    this.source = buffer;
    this.start = start;
    this.next = next;
    this.at = 0;
    return end - start;
  }

  #copy(messages: readonly Packable[], from: number, begin: number): number {
    this.#view = viewOfCopies;
    this.source = copies;
    this.start = 0;
    let at = begin;
    let index = from;
    let end = 0;
    for (; index < messages.length; index++, at = 0) {
      const bytes = messages[index]?.bytes;
      if (bytes === undefined) break;
      const left = bytes.length - at;
      if (left > mostData) {
        // Parts in the midst of a message fill writes of their own, as the reference's do.
        return end > 0 ? this.#end(index, 0, end) : this.#copyParts(bytes, index, at);
      }
      if (end + headerSize + left > pipeBuf) break;
      this.#header(end, 0, left);
      copies.set(at === 0 ? bytes : bytes.subarray(at), end + headerSize);
      end += headerSize + left;
    }
    return this.#end(index, 0, end);
  }

  /** As many of the parts before the last one as one write may hold. */
  #copyParts(bytes: Uint8Array, index: number, from: number): number {
    const left = Math.ceil((bytes.length - from) / mostData) - 1;
    const parts = Math.min(left, this.#parts);
    if (copies.length < parts * pipeBuf) enlargeCopies(this.#parts * pipeBuf);
    this.#view = viewOfCopies;
    this.source = copies;
    for (let n = 0, at = from; n < parts; n++, at += mostData) {
      this.#header(n * pipeBuf, left - n, mostData);
      copies.set(bytes.subarray(at, at + mostData), n * pipeBuf + headerSize);
    }
    return this.#end(index, from + parts * mostData, parts * pipeBuf);
  }

  #end(next: number, at: number, length: number): number {
    this.next = next;
    this.at = at;
    return length;
  }

  #seeSlab(buffer: Uint8Array): void {
    if (this.#slab !== buffer) {
      this.#slab = buffer;
      this.#slabView = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    }
    this.#view = this.#slabView;
  }

  #header(offset: number, part: number, size: number): void {
    const view = this.#view;
    view.setInt32(offset, this.#pid, littleEndian);
    view.setInt32(offset + 4, this.#tid, littleEndian);
    view.setUint32(offset + 8, part, littleEndian);
    view.setUint32(offset + 12, size, littleEndian);
  }
}
