/**
 * Memory that messages are written into behind each other, one piece for all clients of a thread, and from its beginning again
 * as soon as all that is in it has been taken: a buffer for each message would cost more than writing it. Where a receiver is
 * behind there are several, and a few of them are kept.
 *
 * A message that is given up is never released: a protocol may have its bytes still in hand. Its slab is then not used again,
 * and goes when nobody holds it any more.
 */

const slabSize = 256 * 1024;

/** Larger messages get a buffer of their own. */
export const largestInSlab = 128 * 1024;

/** Slabs that are kept for when the one in use is full. */
const mostSpare = 4;

const spare: Slab[] = [];

/** A piece of memory in use. */
export class Slab {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(slabSize);
  #end = 0;
  #live = 0;

  /** Where the next message goes, with `room` bytes behind; undefined where that is not there. */
  place(room: number): number | undefined {
    return this.#end + room <= slabSize ? this.#end : undefined;
  }

  /** A message was written, up to `end`. */
  keep(end: number): void {
    this.#end = end;
    this.#live++;
  }

  /** A message of it is not needed any more. */
  release(): void {
    if (--this.#live > 0) return;
    this.#end = 0;
    if (this !== current && spare.length < mostSpare) spare.push(this);
  }
}

let current: Slab | undefined;

/** A slab with so much room, at most that of the largest message. */
export function slabFor(room: number): Slab {
  if (current?.place(room) === undefined) current = spare.pop() ?? new Slab();
  return current;
}
