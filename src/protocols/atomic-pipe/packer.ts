/** Fills writes with chunks: as many whole ones as 4096 bytes hold, of as many messages. */
import { headerSize, littleEndian, mostData, pipeBuf } from './chunk.ts';

/** A message to be packed. */
export interface Packable {
  readonly bytes: Uint8Array;
}

/** Packs for one connection, which its tid tells from all others of the process. */
export class Packer {
  /** What to write next. */
  readonly buffer: Uint8Array = Buffer.allocUnsafeSlow(pipeBuf);
  /** After `fill`: the first message that is not packed whole. */
  next = 0;
  /** After `fill`: how many of that one's bytes are packed, in this write and those before it. */
  at = 0;
  readonly #view = new DataView(this.buffer.buffer);
  readonly #pid: number;
  readonly #tid: number;

  constructor(pid: number, tid: number) {
    this.#pid = pid;
    this.#tid = tid;
  }

  /** Fills the buffer from byte `at` of message number `index` on; returns the length. */
  fill(messages: readonly Packable[], index: number, at: number): number {
    let end = 0;
    for (; index < messages.length; index++, at = 0) {
      const bytes = messages[index]?.bytes;
      if (bytes === undefined) break;
      const left = bytes.length - at;
      if (left > mostData) {
        // A part in the midst of a message fills a write of its own, as the reference's does.
        if (end > 0) break;
        this.#header(0, Math.ceil(left / mostData) - 1, mostData);
        this.buffer.set(bytes.subarray(at, at + mostData), headerSize);
        this.next = index;
        this.at = at + mostData;
        return pipeBuf;
      }
      if (end + headerSize + left > pipeBuf) break;
      this.#header(end, 0, left);
      this.buffer.set(at === 0 ? bytes : bytes.subarray(at), end + headerSize);
      end += headerSize + left;
    }
    this.next = index;
    this.at = 0;
    return end;
  }

  #header(offset: number, part: number, size: number): void {
    const view = this.#view;
    view.setInt32(offset, this.#pid, littleEndian);
    view.setInt32(offset + 4, this.#tid, littleEndian);
    view.setUint32(offset + 8, part, littleEndian);
    view.setUint32(offset + 12, size, littleEndian);
  }
}
