/**
 * Closing a pipe without losing what others write at that very moment: it is filled with bytes of its own reader. Full of
 * those alone, it takes nothing any more, and whoever waits for room learns of the close.
 */
import { littleEndian, mostData, pipeBuf } from './chunk.ts';
import type { Pipes } from './pipe.ts';
import { nextTid } from './tid.ts';

/** One pipe's plug. */
export class Plug {
  readonly #fd: number;
  readonly #pipes: Pipes;
  readonly #tid = nextTid();
  readonly #filler = Buffer.alloc(pipeBuf);
  /** How many fillers the pipe holds, once that is known. */
  #room: number | undefined;
  /** Fillers written by the last try, and whether they alone have been read since. */
  #written = 0;
  #isAlone = false;

  constructor(fd: number, pipes: Pipes) {
    this.#fd = fd;
    this.#pipes = pipes;
    // Chunks, so that its own reader can tell them from what came in between.
    const view = new DataView(this.#filler.buffer, this.#filler.byteOffset);
    view.setInt32(0, process.pid, littleEndian);
    view.setInt32(4, this.#tid, littleEndian);
    view.setUint32(12, mostData, littleEndian);
  }

  /** To be called when the pipe is empty; true when it is full of fillers alone, false where it has to be read again. */
  fill(): boolean {
    const { native } = this.#pipes;
    if (native === undefined) {
      // Its size cannot be asked for: it is as much as went in when nothing else did.
      if (this.#isAlone) this.#room = this.#written;
    } else {
      // A small one is soon full. Refused where more has come in since.
      native.setPipeSize(this.#fd, pipeBuf);
      this.#room = native.pipeSize(this.#fd) / pipeBuf;
    }
    this.#written = 0;
    while (this.#pipes.write(this.#fd, this.#filler, 0, pipeBuf) === pipeBuf) this.#written++;
    this.#isAlone = true;
    return this.#written === this.#room;
  }

  /** Whether a chunk that was read is a filler. */
  isFiller(pid: number, tid: number): boolean {
    const is = pid === process.pid && tid === this.#tid;
    if (!is) this.#isAlone = false;
    return is;
  }
}
