/**
 * Sending: one descriptor per peer, whole chunks packed into writes of at most 4096 bytes, which the kernel takes whole or
 * not at all, or of several times 4096 bytes, of which it takes whole chunks. A full pipe leaves a message in its midst; the rest of it goes first, whatever else is to be sent.
 */
import { closeSync } from 'node:fs';
import { isIpcError, systemCode, type IpcError } from '../../errors.ts';
import { systemError } from '../../native/native.ts';
import type { Delivery, Outgoing } from '../../protocol/protocol.ts';
import type { Sink } from '../directory/descriptor-connection.ts';
import { isMissing, look } from '../directory/files.ts';
import type { Reachability } from '../directory/reachability.ts';
import { Room } from '../directory/room.ts';
import { headerSize, mostData, pipeBuf } from './chunk.ts';
import { Packer, type Packable } from './packer.ts';
import { again, brokenPipe, openOutbox, type Opened, type Pipes } from './pipe.ts';
import { nextTid } from './tid.ts';

/** How long an open FIFO is believed to be still the peer's, in milliseconds; that somebody reads it the kernel tells. */
const belief = 100;

/** FIFOs kept open to be written to again. */
const mostOpen = 256;

interface Peer extends Opened {
  readonly name: string;
  readonly path: string;
  readonly room: Room;
  checkedAt: number;
  /** A message written in part, and how many of its bytes. */
  head: Packable | undefined;
  at: number;
}

/** Writes messages into the FIFOs of peers. */
export class Outbox implements Sink {
  readonly headroom = headerSize;
  readonly #pipes: Pipes;
  readonly #reachability: Reachability;
  readonly #packer: Packer;
  readonly #peers = new Map<string, Peer>();

  constructor(pipes: Pipes, reachability: Reachability) {
    this.#pipes = pipes;
    this.#packer = new Packer(process.pid, nextTid(), pipes.parts);
    this.#reachability = reachability;
  }

  deliver(name: string, batch: readonly Outgoing[]): Delivery {
    const open = this.#peers.get(name);
    const isCurrent = open !== undefined && this.#isCurrent(open);
    if (open !== undefined && !isCurrent) this.#forget(open);
    const peer = isCurrent ? open : this.#open(name, open !== undefined);
    if (!('fd' in peer)) return { taken: 0, blocked: peer };

    let work: readonly Packable[] = batch;
    let first = 0;
    if (peer.head !== undefined && peer.head !== batch[0]) {
      // Whoever sent it has given up on it, but its receiver waits for the rest.
      work = [peer.head, ...batch];
      first = 1;
    }
    return this.#write(peer, work, first);
  }

  close(): void {
    for (const peer of this.#peers.values()) this.#forget(peer);
  }

  /** Writes all that goes in; the messages of the caller begin with number `first`. */
  #write(start: Peer, work: readonly Packable[], first: number): Delivery {
    const packer = this.#packer;
    let peer = start;
    let index = 0;
    let isAnew = false;
    while (index < work.length) {
      const length = packer.fill(work, index, peer.at);
      const result = this.#pipes.write(peer.fd, packer.source, packer.start, length);
      if (result === length) {
        index = packer.next;
        peer.at = packer.at;
        continue;
      }
      const taken = Math.max(0, index - first);
      // Some of the parts: the pipe is full now.
      if (result > 0) peer.at += (result / pipeBuf) * mostData;
      if (result > 0 || result === again) {
        peer.head = peer.at > 0 ? work[index] : undefined;
        if (taken > 0 || result > 0) peer.room.reset();
        return { taken, blocked: peer.room.wait() };
      }
      this.#forget(peer);
      // Its reader has gone, perhaps to come again under the same name; that one gets the message from its beginning.
      const next = result === brokenPipe && !isAnew ? this.#openAfter(peer.name, taken) : this.#failed(result, peer);
      if (isIpcError(next)) return { taken, error: next };
      if (!('fd' in next)) return { taken, blocked: next };
      peer = next;
      isAnew = true;
      if (index < first) index = first;
    }
    peer.head = undefined;
    peer.at = 0;
    return { taken: work.length - first };
  }

  #failed(result: number, peer: Peer): IpcError {
    return this.#reachability.failed(systemError(result, 'write', peer.path), peer.name);
  }

  /** As `open`, but where messages have been taken an error is returned: it is for those that follow. */
  #openAfter(name: string, taken: number): Peer | Promise<void> | IpcError {
    try {
      return this.#open(name, true);
    } catch (error) {
      if (taken === 0 || !isIpcError(error)) throw error;
      return error;
    }
  }

  /** The peer, or a promise where it is worth trying again. Throws what concerns the whole peer. */
  #open(name: string, known: boolean): Peer | Promise<void> {
    const path = this.#reachability.path(name);
    const opened = this.#tryOpen(path, name);
    if (opened === undefined) {
      const absent = this.#reachability.absent(name, known);
      if (isIpcError(absent)) throw absent;
      return absent;
    }
    this.#reachability.reached(name);
    const room = new Room(opened.fd, this.#pipes.native);
    const peer = { ...opened, name, path, room, checkedAt: performance.now(), head: undefined, at: 0 };
    // Before it is there itself: where all others are waited for, it would be the one to go.
    if (this.#peers.size >= mostOpen) this.#closeIdle(1);
    this.#peers.set(name, peer);
    return peer;
  }

  /** Undefined where nobody reads it. */
  #tryOpen(path: string, name: string): Opened | undefined {
    for (let isAgain = false; ; isAgain = true) {
      try {
        return this.#reachability.isDead(name) ? undefined : openOutbox(path);
      } catch (error) {
        const code = systemCode(error);
        if (isMissing(error) || code === 'ENXIO') return undefined;
        const isFull = code === 'EMFILE' || code === 'ENFILE';
        if (!isFull || isAgain || this.#closeIdle(mostOpen) === 0) throw this.#reachability.failed(error, name);
      }
    }
  }

  /** False where another FIFO, or none, is at the peer's place now. A message begun is ended in the old one. */
  #isCurrent(peer: Peer): boolean {
    const now = performance.now();
    if (now - peer.checkedAt < belief || peer.head !== undefined) return true;
    peer.checkedAt = now;
    return look(peer.path)?.ino === peer.inode;
  }

  /** Closes FIFOs that nothing waits for, those opened longest ago first; returns how many. */
  #closeIdle(most: number): number {
    let closed = 0;
    for (const peer of this.#peers.values()) {
      if (closed >= most) break;
      if (peer.head !== undefined || peer.room.waiting) continue;
      this.#forget(peer);
      closed++;
    }
    return closed;
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer.name);
    peer.room.close();
    closeSync(peer.fd);
  }
}
