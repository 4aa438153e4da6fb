/**
 * Cuts what comes out of a pipe into chunks, in place.
 *
 * Chunks are written whole, so an empty pipe means that the last chunk read is whole as well. What is incomplete then, and
 * what has no header that a writer would write, is garbage: somebody else wrote into the pipe. It is skipped byte by byte up
 * to the next chunk that names a living process, or is followed by another one or by nothing. It can cost what stands beside it, never what comes
 * after the pipe was empty once.
 *
 * What is handed out are views into a slab, good until the next `begin`.
 */
import { signalReaches } from '../../liveness/alive.ts';
import { giveSpare, takeSpare } from '../directory/spare.ts';
import { headerSize, isPlausible, littleEndian } from './chunk.ts';

/** Bytes to ask the pipe for at once. */
const mostRead = 64 * 1024;
/** With less room than this a new slab is begun. */
const leastRead = 16 * 1024;

/** Where the bytes come from and where complaints go. */
export interface ChunkSource {
  /** Reads; returns 0 when there is nothing. */
  read(buffer: Uint8Array, offset: number, length: number): number;
  /** So many bytes were no chunk and have been skipped. */
  garbage(bytes: number): void;
}

const nothing = new Uint8Array(0);
const noView: DataView = new DataView(nothing.buffer);

/** The view made last: as a rule it is the same slab again. */
let lastView = noView;

function viewOf(slab: Uint8Array): DataView {
  if (lastView.buffer !== slab.buffer) lastView = new DataView(slab.buffer);
  return lastView;
}

/** Reads chunks; the current one is in the fields. */
export class ChunkReader {
  pid = 0;
  tid = 0;
  /** Number of parts that follow. */
  part = 0;
  data: Uint8Array = nothing;
  readonly #source: ChunkSource;
  readonly #readSize: number;
  readonly #most: number;
  #read = 0;
  #slab: Uint8Array = nothing;
  #view = noView;
  #start = 0;
  #end = 0;
  #isLent = false;
  #isEmpty = false;
  #skipped = 0;

  /** Reads hardly more than `most` bytes after each `begin`: others may write faster than anybody reads. */
  constructor(source: ChunkSource, most: number, readSize: number = mostRead) {
    this.#source = source;
    this.#most = most;
    this.#readSize = readSize;
  }

  /** True when the pipe has been empty since `begin`, and all of it been handed out. */
  get isEmpty(): boolean {
    return this.#isEmpty && this.#start === this.#end;
  }

  /** The pipe may have got more since it was found empty, and what was handed out is not needed any more. */
  begin(): void {
    this.#isEmpty = false;
    this.#isLent = false;
    this.#read = 0;
    if (this.#start === this.#end) this.#use(nothing);
  }

  /** Goes to the next chunk; false when the pipe has been empty since `begin`, or enough has been read. */
  next(): boolean {
    while (!this.#chunk()) {
      if (this.#isEmpty) {
        this.#endGarbage();
        if (!this.#isLent) this.#use(nothing);
        return false;
      }
      if (this.#read >= this.#most) return false;
      this.#fill();
    }
    return true;
  }

  /** Takes a chunk from the slab; false where more must be read, or nothing is left. */
  #chunk(): boolean {
    const view = this.#view;
    while (this.#end - this.#start >= headerSize) {
      const start = this.#start;
      const size = view.getUint32(start + 12, littleEndian);
      const part = view.getUint32(start + 8, littleEndian);
      const pid = view.getInt32(start, littleEndian);
      const next = start + headerSize + size;
      if (!isPlausible(pid, part, size)) {
        this.#skip(1);
      } else if (next > this.#end) {
        if (!this.#isEmpty) return false;
        this.#skip(1);
      } else if (this.#skipped > 0 && !signalReaches(pid) && !this.#isBoundary(next)) {
        if (!this.#isEmpty && next + headerSize > this.#end) return false;
        this.#skip(1);
      } else {
        this.#endGarbage();
        this.pid = pid;
        this.tid = view.getInt32(start + 4, littleEndian);
        this.part = part;
        this.data = this.#slab.subarray(start + headerSize, next);
        this.#start = next;
        if (part === 0) this.#isLent = true;
        return true;
      }
    }
    if (this.#isEmpty) this.#skip(this.#end - this.#start);
    return false;
  }

  /** True where the next chunk begins, or nothing is left. */
  #isBoundary(at: number): boolean {
    if (this.#end - at < headerSize) return this.#end === at && this.#isEmpty;
    const view = this.#view;
    const pid = view.getInt32(at, littleEndian);
    return isPlausible(pid, view.getUint32(at + 8, littleEndian), view.getUint32(at + 12, littleEndian));
  }

  #skip(bytes: number): void {
    this.#start += bytes;
    this.#skipped += bytes;
  }

  #endGarbage(): void {
    if (this.#skipped === 0) return;
    const skipped = this.#skipped;
    this.#skipped = 0;
    this.#source.garbage(skipped);
  }

  #fill(): void {
    if (this.#start === this.#end && !this.#isLent) this.#start = this.#end = 0;
    if (this.#slab.length - this.#end < leastRead) this.#renew();
    const wanted = Math.min(this.#slab.length - this.#end, this.#readSize);
    const length = this.#source.read(this.#slab, this.#end, wanted);
    this.#end += length;
    this.#read += length;
    // A pipe gives all it has, so less than asked for says that it is empty without another call.
    if (length < wanted) this.#isEmpty = true;
  }

  #renew(): void {
    const slab = takeSpare();
    slab.set(this.#slab.subarray(this.#start, this.#end));
    const length = this.#end - this.#start;
    this.#use(slab);
    this.#end = length;
  }

  /** Goes on with another slab. */
  #use(slab: Uint8Array): void {
    if (!this.#isLent) giveSpare(this.#slab);
    this.#slab = slab;
    this.#view = slab === nothing ? noView : viewOf(slab);
    this.#start = this.#end = 0;
    this.#isLent = false;
  }
}
