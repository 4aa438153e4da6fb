/**
 * What comes over a socket: read past the stream where the native part can, at a third of the cost, into one piece of memory
 * for all sockets of a thread; else by the stream.
 *
 * The socket comes paused, so that nothing of the stream reads. An end or an error is not dealt with here: the stream is let
 * go on then, meets it as well, and knows what to do.
 */
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { loadNative, readable, type Native, type Poller } from '../../native/native.ts';

/** Bytes to read at once. */
const readSize = 64 * 1024;
/** Reads of one socket before others have their turn. */
const mostReads = 4;

const again = -constants.errno.EAGAIN;

/** Gets what came; what is `lent` is good until it returns. */
export type Taker = (chunk: Buffer, lent: boolean) => void;

let memory: Buffer | undefined;

/** Reads one socket. */
export class Intake {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #take: Taker;
  readonly #resumed: () => void;
  readonly #native: Native | undefined;
  /** Undefined where the stream reads. */
  #poller: Poller | undefined;
  #paused = false;

  /**
   * Starts to read. `fd` is the socket's, undefined where it is not known; `resumed` is called when the event loop has to poll
   * before it is known what there is.
   */
  constructor(socket: Socket, fd: number | undefined, take: Taker, resumed: () => void) {
    this.#socket = socket;
    this.#fd = fd ?? -1;
    this.#take = take;
    this.#resumed = resumed;
    this.#native = fd === undefined ? undefined : loadNative();
    try {
      this.#poller = this.#native === undefined ? undefined : new this.#native.Poller(this.#fd).unref();
    } catch {
      // Out of descriptors: the stream needs no other one.
    }
    if (this.#poller === undefined) this.#toStream();
    else this.resume();
  }

  /** Reads nothing until told to. */
  pause(): void {
    this.#paused = true;
    if (this.#poller === undefined) this.#socket.pause();
    else this.#poller.stop();
  }

  resume(): void {
    this.#paused = false;
    this.#resumed();
    if (this.#poller === undefined) this.#socket.resume();
    else this.#poller.start(readable, this.#ready);
  }

  /** Reads what is there; true when something was. */
  readNow(): boolean {
    const native = this.#native;
    if (this.#poller === undefined || native === undefined) return false;
    memory ??= Buffer.allocUnsafeSlow(readSize);
    for (let reads = 0; reads < mostReads && !this.#paused; reads++) {
      const length = native.read(this.#fd, memory, 0, readSize);
      if (length === again) return reads > 0;
      if (length <= 0) {
        this.#toStream();
        return reads > 0;
      }
      this.#take(memory.subarray(0, length), true);
      if (length < readSize) return true;
      // Whoever takes it may have closed the socket over it.
      if (this.#poller === undefined) return true;
    }
    return true;
  }

  /** Reads nothing more. To be called before the socket is destroyed: its descriptor may be another's afterwards. */
  stop(): void {
    this.#poller?.close();
    this.#poller = undefined;
    this.#socket.off('data', this.#fromStream);
  }

  readonly #fromStream = (chunk: Buffer): void => this.#take(chunk, false);

  readonly #ready = (events: number): void => {
    if (events < 0) this.#toStream();
    else this.readNow();
  };

  #toStream(): void {
    this.#poller?.close();
    this.#poller = undefined;
    this.#socket.on('data', this.#fromStream);
    if (!this.#paused) this.resume();
  }
}
