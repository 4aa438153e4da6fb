/**
 * One socket between this client and a peer, or somebody who has not said yet who it is.
 *
 * States: open; closing, once either side has said that it writes no more: then nothing new is sent over it, and what is on
 * its way still arrives; ended, once nothing can come any more; closed, once the descriptor is. Frames that came stay in the
 * queue through all of them until they are received.
 *
 * Bytes are read ahead of the reader up to a bound. Beyond it they stay with the kernel, which lets the sender wait.
 *
 * One file, since reading, writing and ending of a connection decide about each other.
 */
import type { IpcError } from '../../errors.ts';
import type { Incoming, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';
import { FrameReader, type FrameSink } from './frames.ts';
import { longestHello } from './hello.ts';
import type { Packer } from './pack.ts';
import type { StreamSocket } from './stream-socket.ts';

/** Bytes of whole frames that wait in a channel before it stops reading. */
const readAhead = 128 * 1024;
/** Bytes that a frame which waits takes beside its own. */
const overhead = 128;

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
  readonly #socket: StreamSocket;
  readonly #frames: FrameReader;
  #greeted: boolean;
  #ended = false;
  #paused = false;
  #queue: Received[] = [];
  #taken = 0;
  #queuedBytes = 0;
  #whole = 0;
  #sending = 0;

  constructor(socket: StreamSocket, initiated: boolean, owner: ChannelOwner) {
    this.initiated = initiated;
    this.#owner = owner;
    this.#socket = socket;
    this.#greeted = initiated;
    this.#frames = new FrameReader(initiated ? owner.maxMessageBytes : longestHello, this);
    socket.start({
      data: this.#data,
      ended: () => this.#end(),
      closed: () => {
        this.#end();
        owner.closed(this);
      },
      resumed: () => owner.resumed(),
    });
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
    return this.#sending > 0;
  }

  /**
   * Writes a batch, and `first` as a frame before it. True when the kernel has it; false when the connection turns out to
   * be dead, and nothing was taken; a promise where the kernel takes it bit by bit, of false when the connection ended
   * over it.
   */
  send(batch: readonly Outgoing[], first?: Uint8Array): boolean | Promise<boolean> {
    if (!this.usable) return false;
    const sent = this.#socket.write(this.#owner.packer.pack(batch, first));
    this.lastActivity = Date.now();
    return typeof sent === 'boolean' ? sent : this.#sent(sent, this.#owner.packer.lend());
  }

  /** Reads past the event loop; true when something was there. */
  readNow(): boolean {
    return !this.#ended && !this.#paused && this.#socket.readNow();
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
      this.#socket.resume();
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
    this.#socket.cut();
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
      this.#socket.pause();
    }
  };

  #read(chunk: Buffer, lent: boolean): void {
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

  async #sent(taken: Promise<boolean>, lent: Buffer): Promise<boolean> {
    this.#sending++;
    const isDone = await taken;
    this.#sending--;
    if (isDone) this.#owner.packer.giveBack(lent);
    return isDone;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const torn = this.#frames.partial;
    this.partialSince = undefined;
    this.#frames.stop();
    this.#owner.ended(this, torn);
  }
}
