/**
 * A stream socket by its descriptor, without Node's streams: those take longer to load than all else that a client needs, and
 * three times as long for each read and write.
 *
 * States: open; ended on either side, or both, which closes it; closed. What is written and the kernel does not take waits in a
 * queue; only then is it asked when there is room.
 */
import { constants } from 'node:os';
import { readable, writable, type Native, type Poller } from '../../native/native.ts';
import { mostSalvaged, type StreamOwner, type StreamSocket } from './stream-socket.ts';

/** Bytes to read at once. */
const readSize = 64 * 1024;
/** Reads of one socket before others have their turn. */
const mostReads = 4;

const again = -constants.errno.EAGAIN;
/** Of the kernel's memory there is too little for now. */
const short = -constants.errno.ENOBUFS;

/** One for all sockets of a thread. */
let memory: Buffer | undefined;

/** What is awaited until the queue is empty. */
interface Flush {
  readonly promise: Promise<boolean>;
  readonly resolve: (isDone: boolean) => void;
}

/** A connected stream socket. */
export class NativeSocket implements StreamSocket {
  readonly #native: Native;
  readonly #poller: Poller;
  /** Undefined once it is closed: the number may be another file's then. */
  #fd: number | undefined;
  #owner: StreamOwner | undefined;
  #watched = 0;
  #paused = false;
  #writable = true;
  #ended = false;
  #isShut = false;
  #isCut = false;
  #queue: Buffer[] = [];
  #flush: Flush | undefined;

  /** Takes a descriptor over that the native part has made. Throws the system's error, and leaves it to the caller then. */
  constructor(native: Native, fd: number) {
    this.#native = native;
    this.#poller = new native.Poller(fd).unref();
    this.#fd = fd;
  }

  /** Connects at once. Throws the system's error. */
  static connect(native: Native, path: string): NativeSocket {
    const fd = native.connectStream(path);
    try {
      return new NativeSocket(native, fd);
    } catch (error) {
      native.close(fd);
      throw error;
    }
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  get writable(): boolean {
    return this.#writable && this.#fd !== undefined;
  }

  start(owner: StreamOwner): void {
    this.#owner = owner;
    this.#watch();
  }

  pause(): void {
    this.#paused = true;
    this.#watch();
  }

  resume(): void {
    this.#paused = false;
    this.#watch();
  }

  readNow(): boolean {
    memory ??= Buffer.allocUnsafeSlow(readSize);
    let reads = 0;
    // Whoever takes something may pause or close the socket over it.
    for (; reads < mostReads && this.#fd !== undefined && this.#reads; reads++) {
      const length = this.#native.read(this.#fd, memory, 0, readSize);
      if (length > 0) this.#owner?.data(memory.subarray(0, length), true);
      else if (length === 0) this.#end();
      else if (length !== again) this.cut();
      if (length <= 0) break;
      if (length < readSize) return true;
    }
    return reads > 0;
  }

  write(parts: readonly Buffer[]): boolean | Promise<boolean> {
    if (!this.#writable || this.#fd === undefined) return false;
    if (this.#flush !== undefined) {
      this.#queue.push(...parts);
      return this.#flush.promise;
    }
    for (const [index, part] of parts.entries()) {
      const written = this.#native.write(this.#fd, part, 0, part.length);
      if (written === part.length) continue;
      if (written < 0 && !isFull(written)) {
        this.#writable = false;
        // Not within this call, since what came before is told of then.
        process.nextTick(() => this.cut());
        // After what was written it is not known what has been read.
        return index === 0 ? false : Promise.resolve(false);
      }
      this.#queue = [part.subarray(Math.max(0, written)), ...parts.slice(index + 1)];
      return this.#wait();
    }
    return true;
  }

  end(): void {
    this.#writable = false;
    this.#advance();
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#writable = false;
    if (!this.#ended) this.#salvage();
    this.destroy();
  }

  destroy(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    this.#poller.close();
    this.#native.close(fd);
    process.nextTick(() => {
      this.#settle(false);
      this.#owner?.closed();
    });
  }

  get #reads(): boolean {
    return this.#owner !== undefined && !this.#paused && !this.#ended && !this.#isCut;
  }

  /** Has the event loop look for what is of interest now. */
  #watch(): void {
    const events = (this.#reads ? readable : 0) + (this.#queue.length > 0 ? writable : 0);
    if (this.#fd === undefined || events === this.#watched) return;
    this.#watched = events;
    if (events === 0) this.#poller.stop();
    else this.#poller.start(events, this.#ready);
    // Also where it was looked for before: a poller that starts anew is not with the kernel until the next poll.
    if (this.#reads) this.#owner?.resumed();
  }

  readonly #ready = (events: number): void => {
    // The peer has gone without reading all: what it had sent is still there.
    if (events < 0) return this.cut();
    if ((events & readable) !== 0) this.readNow();
    if ((events & writable) !== 0) this.#writeMore();
  };

  #writeMore(): void {
    const queue = this.#queue;
    for (let [part] = queue; part !== undefined && this.#fd !== undefined; [part] = queue) {
      const written = this.#native.write(this.#fd, part, 0, part.length);
      if (isFull(written)) return;
      if (written < 0) return this.cut();
      if (written < part.length) {
        queue[0] = part.subarray(written);
        return;
      }
      queue.shift();
    }
    if (this.#fd === undefined) return;
    this.#settle(true);
    this.#advance();
  }

  /** The promise that all is written. */
  #wait(): Promise<boolean> {
    let resolve: Flush['resolve'] = () => undefined;
    const promise = new Promise<boolean>((done) => (resolve = done));
    this.#flush = { promise, resolve };
    this.#poller.ref();
    this.#watch();
    return promise;
  }

  #settle(isDone: boolean): void {
    if (this.#flush === undefined) return;
    this.#flush.resolve(isDone);
    this.#flush = undefined;
    this.#poller.unref();
  }

  /** The peer has ended its half. */
  #end(): void {
    this.#ended = true;
    this.#owner?.ended();
    this.end();
  }

  /** Ends this half, or closes, once that is due. */
  #advance(): void {
    if (this.#fd === undefined) return;
    if (!this.#writable && this.#queue.length === 0) {
      if (this.#ended) return this.destroy();
      if (!this.#isShut) this.#native.shutSending(this.#fd);
      this.#isShut = true;
    }
    this.#watch();
  }

  #salvage(): void {
    if (this.#fd === undefined || this.#owner === undefined) return;
    // What is refused is sent anew or told of; what is taken between the last read and the close would be lost.
    this.#native.shutReceiving(this.#fd);
    for (let total = 0; this.#fd !== undefined && total < mostSalvaged;) {
      const chunk = Buffer.allocUnsafe(readSize);
      const length = this.#native.read(this.#fd, chunk, 0, readSize);
      // EAGAIN: there is no more; ECONNRESET: the peer left without reading all, and this is the end of it too.
      if (length <= 0) break;
      total += length;
      this.#owner.data(chunk.subarray(0, length), false);
    }
    this.#ended = true;
    if (this.#fd !== undefined) this.#owner.ended();
  }
}

/** True where a write failed since there is no room for now. */
function isFull(written: number): boolean {
  return written === again || written === short;
}
