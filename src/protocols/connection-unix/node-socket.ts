/**
 * A stream socket of Node's, where the native part is not there. Nobody else is to load `node:net`, so it is taken when it is needed.
 */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { mostSalvaged, type StreamOwner, type StreamSocket } from './stream-socket.ts';

/** A connected stream socket. */
export class NodeSocket implements StreamSocket {
  readonly #socket: Socket;
  /** Good until the socket is destroyed. */
  readonly #fd: number | undefined;
  #owner: StreamOwner | undefined;
  #ended = false;
  #flushes = 0;

  /** Takes over a socket that allows one half to be open alone, and is paused: nothing of it is read before `start`. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#fd = descriptorOf(socket);
    socket.unref();
    // What became of a write is known by its callback, of a read by the end of the socket.
    socket.on('error', () => undefined);
    // A write that fails makes Node close the socket at once, with what the peer had sent before it left still unread.
    const destroy = socket.destroy.bind(socket);
    socket.destroy = (error?: Error): Socket => {
      socket.off('data', this.#data);
      if (!this.#ended) this.#salvage();
      return destroy(error);
    };
  }

  /** Connects. Rejects with the system's error. */
  static connect(path: string): Promise<NodeSocket> {
    return new Promise((resolve, reject) => {
      const socket = process.getBuiltinModule('node:net').connect({ path, allowHalfOpen: true }).pause();
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new NodeSocket(socket));
      });
    });
  }

  get fd(): number | undefined {
    return this.#socket.destroyed ? undefined : this.#fd;
  }

  get writable(): boolean {
    return this.#socket.writable;
  }

  start(owner: StreamOwner): void {
    const socket = this.#socket;
    this.#owner = owner;
    socket.on('data', this.#data);
    socket.on('end', () => {
      this.#end();
      socket.end();
    });
    socket.on('close', () => owner.closed());
    this.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#owner?.resumed();
    this.#socket.resume();
  }

  readNow(): boolean {
    return false;
  }

  write(parts: readonly Buffer[]): boolean | Promise<boolean> {
    const socket = this.#socket;
    if (!socket.writable) return false;
    const [only] = parts;
    if (only !== undefined && parts.length === 1) socket.write(only);
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
    // libuv tries at once: what is not queued now is with the kernel, and an error now means that nothing is.
    if (socket.errored !== null || socket.destroyed) return false;
    return socket.writableLength === 0 || this.#flushed();
  }

  end(): void {
    this.#socket.end();
  }

  cut(): void {
    this.#socket.destroy();
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  readonly #data = (chunk: Buffer): void => this.#owner?.data(chunk, false);

  #flushed(): Promise<boolean> {
    const socket = this.#socket;
    if (this.#flushes++ === 0) socket.ref();
    return new Promise((resolve) => {
      // Called with an error also where the socket closes before.
      socket.write(Buffer.alloc(0), (error) => {
        if (--this.#flushes === 0) socket.unref();
        resolve(error === undefined || error === null);
      });
    });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner?.ended();
  }

  /** Reads what is left, from the stream and then from the descriptor itself, before it is closed. */
  #salvage(): void {
    const socket = this.#socket;
    const owner = this.#owner;
    const fd = this.#fd;
    if (owner === undefined) return;
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read()) owner.data(chunk, false);
    try {
      for (let total = 0; fd !== undefined && total < mostSalvaged;) {
        const chunk = Buffer.allocUnsafe(64 * 1024);
        const length = readSync(fd, chunk);
        if (length === 0) break;
        total += length;
        owner.data(chunk.subarray(0, length), false);
      }
    } catch {
      // EAGAIN: there was no more; ECONNRESET: the peer left without reading all, and this is the end of it too.
    }
    this.#end();
  }
}

/** The descriptor, for which Node has no public name; undefined where there is none to be had, and then nothing is salvaged. */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null })._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
