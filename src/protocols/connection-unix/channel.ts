/**
 * One socket between this client and a peer, or somebody who has not said yet who it is.
 *
 * States: open; closing, once either side has said that it writes no more: then nothing new is sent over it, and what is on
 * its way still arrives; ended, once nothing can come any more; closed, once the descriptor is. Frames that came stay in the
 * queue through all of them until they are received.
 *
 * Bytes are read ahead of the reader up to a bound. Beyond it they stay with the kernel, which lets the sender wait.
 *
 * One file, since reading, writing and ending of a socket decide about each other.
 */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { IpcError } from '../../errors.ts';
import type { Incoming, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';
import { loadNative } from '../../native/native.ts';
import { descriptorOf } from './descriptor.ts';
import { FrameReader, type FrameSink } from './frames.ts';
import { longestHello } from './hello.ts';
import { Intake } from './intake.ts';
import type { Packer } from './pack.ts';

/** Bytes of whole frames that wait in a channel before it stops reading. */
const readAhead = 128 * 1024;
/** Bytes that a frame which waits takes beside its own. */
const overhead = 128;
/** Bytes that are still read from a socket that is broken for writing: more than a socket's buffer holds. */
const mostSalvaged = 16 * 1024 * 1024;

/** A message and where it came from, so that one that is none can be laid at its sender's door. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly channel: Channel;
}

/** True for a message that came over a channel. */
export function isReceived(incoming: Incoming): incoming is Received {
  return 'channel' in incoming && incoming.channel instanceof Channel;
}

/** What a channel tells its owner. */
export interface ChannelOwner {
  readonly packer: Packer;
  readonly maxMessageBytes: number;
  /** The first frame over a connection that was accepted; sets `peer`, or drops the channel. */
  hello(channel: Channel, bytes: Uint8Array): void;
  /** There are frames to take. */
  arrived(channel: Channel): void;
  /** Nothing will come any more; `torn` bytes are of a frame that never became whole. */
  ended(channel: Channel, torn: number): void;
  /** The descriptor is closed. */
  closed(channel: Channel): void;
  /** A frame is over the limit, and its bytes are skipped, or has none. */
  refused(channel: Channel, length: number): void;
  /** The event loop will read from a descriptor again, once it polls. */
  resumed(): void;
  /** Something has a deadline now: `overdue` is to be asked now and then. */
  watch(): void;
}

/** A connection of one stream socket. */
export class Channel implements FrameSink {
  /** True when this side connected. */
  readonly initiated: boolean;
  readonly since: number = Date.now();
  /** The same on `performance.now()`'s clock. */
  born: number = performance.now();
  lastActivity: number = this.since;
  /** Name of the peer, once it is known. */
  peer: string | undefined;
  /** Whether frames have come over a channel of ours: only then it is certain that the peer knows of it. */
  answered: 'not yet' | 'just now' | 'yes' = 'not yet';
  /** Bytes read so far. */
  received = 0;
  /** When a frame began that is not whole yet, on `performance.now()`'s clock. */
  partialSince: number | undefined;
  /** When this side said that it writes no more. */
  closingSince: number | undefined;
  /** Set once the channel was found to carry what is no message: it is being closed for that. */
  condemned: IpcError | undefined;
  readonly #owner: ChannelOwner;
  readonly #socket: Socket;
  readonly #frames: FrameReader;
  /** Good until the socket is destroyed. */
  readonly #fd: number | undefined;
  readonly #native = loadNative();
  readonly #intake: Intake;
  #greeted: boolean;
  #ended = false;
  #paused = false;
  #queue: Received[] = [];
  #taken = 0;
  #queuedBytes = 0;
  #whole = 0;
  #flushed: ((error?: Error | null) => void) | undefined;

  constructor(socket: Socket, initiated: boolean, owner: ChannelOwner) {
    this.initiated = initiated;
    this.#owner = owner;
    this.#socket = socket;
    this.#greeted = initiated;
    this.#frames = new FrameReader(initiated ? owner.maxMessageBytes : longestHello, this);
    this.#fd = descriptorOf(socket);
    socket.unref();
    this.#intake = new Intake(socket, this.#fd, this.#data, () => owner.resumed());
    socket.on('end', () => {
      this.#end();
      socket.end();
    });
    // What became of a write is known by its callback, of a read by the end of the channel.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#end();
      this.#flushed?.(new Error('closed'));
      owner.closed(this);
    });
    // A write that fails makes Node close the socket at once, with what the peer had sent before it left still unread.
    const destroy = socket.destroy.bind(socket);
    socket.destroy = (error?: Error): Socket => {
      this.#intake.stop();
      if (!this.#ended) this.#salvage();
      return destroy(error);
    };
  }

  /** True while something sent over it can be expected to be read. */
  get usable(): boolean {
    return !this.#ended && this.closingSince === undefined && this.#socket.writable;
  }

  /** True once the side that connected has said who it is. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** True once nothing will come any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Frames that wait here. */
  get waiting(): number {
    return this.#queue.length - this.#taken;
  }

  /** True in the midst of a frame. */
  get partial(): boolean {
    return this.#frames.partial > 0;
  }

  /** True while the socket is not read since the reader is behind. */
  get paused(): boolean {
    return this.#paused;
  }

  /** True while the kernel has not taken everything. */
  get sending(): boolean {
    return this.#flushed !== undefined;
  }

  /**
   * Writes a batch, and `first` as a frame before it. True when the kernel has it; false when the connection turns out to
   * be dead, and nothing was taken; a promise where the kernel takes it bit by bit, of false when the connection ended
   * over it.
   */
  send(batch: readonly Outgoing[], first?: Uint8Array): boolean | Promise<boolean> {
    if (!this.usable) return false;
    const socket = this.#socket;
    const parts = this.#owner.packer.pack(batch, first);
    const rest = this.#writeAtOnce(parts);
    this.lastActivity = Date.now();
    const [only] = rest;
    if (only === undefined) return true;
    if (rest.length === 1) socket.write(only);
    else {
      socket.cork();
      for (const part of rest) socket.write(part);
      socket.uncork();
    }
    // libuv tries at once: what is not queued now is with the kernel, and an error now means that nothing is.
    // After what was written at once it is not known what has been read.
    if (socket.errored !== null || socket.destroyed) return rest === parts ? false : Promise.resolve(false);
    if (socket.writableLength === 0) return true;
    return this.#flush(this.#owner.packer.lend());
  }

  /**
   * Writes past the stream what the kernel takes at once, in a third of the time; returns the rest: `parts` itself where it took
   * nothing. An error is left to be met by the stream, which knows what to do.
   */
  #writeAtOnce(parts: readonly Buffer[]): readonly Buffer[] {
    const fd = this.#fd;
    const native = this.#native;
    if (native === undefined || fd === undefined || this.#socket.writableLength > 0) return parts;
    for (const [index, part] of parts.entries()) {
      const written = Math.max(0, native.write(fd, part, 0, part.length));
      if (index === 0 && written === 0) return parts;
      if (written < part.length) return [part.subarray(written), ...parts.slice(index + 1)];
    }
    return [];
  }

  /** Reads past the event loop; true when something was there. */
  readNow(): boolean {
    return !this.#ended && !this.#paused && this.#intake.readNow();
  }

  /** Moves frames into `into`, as many as the limit allows with `bytes` of it used up; returns the bytes used then. */
  take(limit: ReceiveLimit, into: Incoming[], bytes: number): number {
    let used = bytes;
    const queue = this.#queue;
    while (this.#taken < queue.length && into.length < limit.messages) {
      const next = queue[this.#taken];
      if (next === undefined) break;
      if (used + next.bytes.length > limit.bytes && into.length > 0) return Infinity;
      used += next.bytes.length;
      this.#queuedBytes -= next.bytes.length + overhead;
      this.#taken++;
      into.push(next);
    }
    if (this.#taken === queue.length) {
      this.#queue = [];
      this.#taken = 0;
    } else if (this.#taken > 1024) {
      this.#queue = queue.slice(this.#taken);
      this.#taken = 0;
    }
    if (this.#paused && this.#queuedBytes < readAhead / 2) {
      this.#paused = false;
      // The time in which we did not read is not the sender's.
      if (this.partialSince !== undefined) this.partialSince = performance.now();
      this.#intake.resume();
    }
    return used;
  }

  /** Puts off every deadline: this process has not run for so many milliseconds. */
  putOff(milliseconds: number): void {
    const later = (since: number): number => Math.min(since + milliseconds, performance.now());
    this.born = later(this.born);
    if (this.partialSince !== undefined) this.partialSince = later(this.partialSince);
    if (this.closingSince !== undefined) this.closingSince = later(this.closingSince);
  }

  /** Says that nothing more will be written. What the peer has under way is still read, until it ends in turn. */
  close(): void {
    if (this.closingSince !== undefined) return;
    this.closingSince = performance.now();
    this.#socket.end();
    this.#owner.watch();
  }

  /** Closes at once. What is not received yet but lies here already stays. */
  drop(): void {
    this.#frames.stop();
    this.#end();
    this.#socket.destroy();
  }

  /** Closes at once, after a last look at what the peer has sent. */
  cut(): void {
    this.#socket.destroy();
  }

  frame(bytes: Uint8Array): void {
    this.#whole++;
    if (!this.#greeted) {
      this.#greeted = true;
      this.#frames.limit = this.#owner.maxMessageBytes;
      return this.#owner.hello(this, bytes);
    }
    this.#queue.push({ bytes, channel: this });
    this.#queuedBytes += bytes.length + overhead;
  }

  refused(length: number): void {
    this.#owner.refused(this, length);
  }

  readonly #data = (chunk: Buffer, lent: boolean): void => {
    this.#read(chunk, lent);
    if (this.#queuedBytes >= readAhead && !this.#paused) {
      this.#paused = true;
      this.#intake.pause();
    }
  };

  #read(chunk: Buffer, lent = false): void {
    const { waiting } = this;
    const whole = this.#whole;
    this.received += chunk.length;
    this.lastActivity = Date.now();
    if (lent) this.#frames.pushLent(chunk);
    else this.#frames.push(chunk);
    if (this.#frames.partial === 0) this.partialSince = undefined;
    else if (this.partialSince === undefined || this.#whole > whole) {
      this.partialSince = performance.now();
      this.#owner.watch();
    }
    if (this.waiting > waiting) this.#owner.arrived(this);
  }

  #flush(lent: Buffer): Promise<boolean> {
    const socket = this.#socket;
    socket.ref();
    return new Promise((resolve) => {
      this.#flushed = (error) => {
        if (this.#flushed === undefined) return;
        this.#flushed = undefined;
        socket.unref();
        const isDone = error === undefined || error === null;
        if (isDone) this.#owner.packer.giveBack(lent);
        resolve(isDone);
      };
      socket.write(Buffer.alloc(0), this.#flushed);
    });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const torn = this.#frames.partial;
    this.partialSince = undefined;
    this.#frames.stop();
    this.#owner.ended(this, torn);
  }

  /** Reads what is left, from the stream and then from the descriptor itself, before it is closed. */
  #salvage(): void {
    const socket = this.#socket;
    for (let chunk: unknown = socket.read(); chunk instanceof Buffer; chunk = socket.read()) this.#read(chunk);
    const fd = this.#fd;
    // What is refused is sent anew or told of; what is taken between the last read and the close would be lost.
    if (fd !== undefined) this.#native?.shutReceiving(fd);
    try {
      for (let total = 0; fd !== undefined && total < mostSalvaged;) {
        const chunk = Buffer.allocUnsafe(64 * 1024);
        const length = readSync(fd, chunk);
        if (length === 0) break;
        total += length;
        this.#read(chunk.subarray(0, length));
      }
    } catch {
      // EAGAIN: there was no more; ECONNRESET: the peer left without reading all, and this is the end of it too.
    }
    this.#end();
  }
}
