/**
 * Frames out of a stream of bytes: a 4-byte big-endian length and as many bytes.
 *
 * A frame that lies whole in a chunk is a view of it, nothing is copied. One that does not gets a buffer of its own, only
 * after its length was found to be within the limit, and for a large one only as far as bytes have really come: who
 * announces much and sends little costs little.
 */

/** Where frames go. */
export interface FrameSink {
  /** A whole frame. */
  frame(bytes: Uint8Array): void;
  /** The head of a frame over the limit, whose bytes are skipped, or of one without any. */
  refused(length: number): void;
}

/** As much is taken at once on the word of a frame's head. */
const trusted = 1024 * 1024;

/** Cuts a stream into frames. */
export class FrameReader {
  /** Longest frame that is taken; may change between frames. */
  limit: number;
  readonly #sink: FrameSink;
  #headBytes = 0;
  #head = 0;
  #body: Buffer | undefined;
  #length = 0;
  #filled = 0;
  #skip = 0;
  #stopped = false;

  constructor(limit: number, sink: FrameSink) {
    this.limit = limit;
    this.#sink = sink;
  }

  /** Bytes of a frame that has begun and is not whole, its head included; 0 between frames. */
  get partial(): number {
    if (this.#body !== undefined) return 4 + this.#filled;
    return this.#skip > 0 ? 4 : this.#headBytes;
  }

  /** Takes nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#body = undefined;
  }

  /** Takes the next bytes of the stream. */
  push(chunk: Buffer): void {
    const end = chunk.length;
    for (let at = 0; at < end && !this.#stopped;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#body !== undefined) at = this.#fill(chunk, at);
      else at = this.#begin(chunk, at);
    }
  }

  /** The same from memory that is used again: whole frames are views of a copy, what has a buffer of its own goes there. */
  pushLent(chunk: Buffer): void {
    let rest = chunk;
    // What begins behind it is known only once that is through: until then no four bytes are a head.
    const owed = this.#body === undefined ? this.#skip : this.#length - this.#filled;
    if (owed > 0) {
      this.push(rest.subarray(0, owed));
      rest = rest.subarray(owed);
    }
    const isPartOfOne = this.#headBytes === 0 && rest.length >= 4 && rest.readUInt32BE(0) > rest.length - 4;
    this.push(isPartOfOne ? rest : Buffer.from(rest));
  }

  /** Reads a head, and the frame behind it where that is whole. */
  #begin(chunk: Buffer, from: number): number {
    let at = from;
    const end = chunk.length;
    let length: number;
    if (this.#headBytes === 0 && end - at >= 4) {
      length = chunk.readUInt32BE(at);
      at += 4;
    } else {
      while (this.#headBytes < 4) {
        if (at === end) return at;
        this.#head = this.#head * 256 + (chunk[at++] ?? 0);
        this.#headBytes++;
      }
      length = this.#head;
      this.#head = this.#headBytes = 0;
    }
    if (length > this.limit || length === 0) {
      this.#skip = length;
      this.#sink.refused(length);
      return at;
    }
    if (end - at >= length) {
      this.#sink.frame(chunk.subarray(at, at + length));
      return at + length;
    }
    this.#length = length;
    this.#filled = 0;
    this.#body = Buffer.allocUnsafeSlow(Math.min(length, trusted));
    return at === end ? at : this.#fill(chunk, at);
  }

  /** Adds to a frame that has begun. */
  #fill(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#length - this.#filled, chunk.length - at);
    const body = this.#room(taken);
    chunk.copy(body, this.#filled, at, at + taken);
    this.#filled += taken;
    if (this.#filled === this.#length) {
      this.#body = undefined;
      this.#sink.frame(body);
    }
    return at + taken;
  }

  #room(more: number): Buffer {
    const body = this.#body ?? Buffer.alloc(0);
    if (body.length >= this.#filled + more) return body;
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(body.length * 4, this.#filled + more)));
    body.copy(larger, 0, 0, this.#filled);
    return (this.#body = larger);
  }
}
