/**
 * Sending: one socket per peer, connected, since only of a connected one the kernel tells when its receiver's queue has room
 * again. That queue holds eleven datagrams unless net.unix.max_dgram_qlen says otherwise, from all senders together; so to
 * peers of our own kind what waits goes several messages in a datagram.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { constants } from 'node:os';
import { IpcError, isIpcError, quote, systemCode } from '../../errors.ts';
import { systemError, type Native } from '../../native/native.ts';
import type { Delivery, Outgoing } from '../../protocol/protocol.ts';
import type { Sink } from '../directory/descriptor-connection.ts';
import { isMissing, look } from '../directory/files.ts';
import { headSize } from '../directory/framing.ts';
import type { Reachability } from '../directory/reachability.ts';
import { Room } from '../directory/room.ts';
import { Packer } from './pack.ts';
import { mostAtOnce, wishedBuffer } from './sizes.ts';

/** How long an open socket is believed to be still the peer's, in milliseconds; that somebody reads it the kernel tells. */
const belief = 100;

/** Sockets kept open to be written to again. */
const mostOpen = 256;

/** Turns of the event loop in which a full queue is tried again before the kernel is asked to tell. */
const mostPatience = 64;
const leastPatience = 4;

/** Pause after the kernel had no memory for a datagram, in milliseconds. */
const shortage = 10;

const { EAGAIN, ECONNREFUSED, EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, EPIPE } = constants.errno;

interface Peer {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  readonly inode: bigint;
  readonly room: Room;
  /** It reads datagrams of several messages. */
  readonly packs: boolean;
  checkedAt: number;
  /** See `keepTrying`. */
  patience: number;
  /** A batch for it is being tried again and again. */
  isTrying: boolean;
}

/** Sends messages to the sockets of peers. */
export class Outbox implements Sink {
  readonly headroom = headSize;
  readonly #packer = new Packer();
  /** The queue took less than was last offered. */
  #isFull = false;
  readonly #native: Native;
  readonly #reachability: Reachability;
  readonly #peers = new Map<string, Peer>();

  constructor(native: Native, reachability: Reachability) {
    this.#native = native;
    this.#reachability = reachability;
  }

  deliver(name: string, batch: readonly Outgoing[]): Delivery | Promise<Delivery> {
    const open = this.#peers.get(name);
    const isCurrent = open !== undefined && this.#isCurrent(open);
    if (open !== undefined && !isCurrent) this.#forget(open);
    const peer = isCurrent ? open : this.#open(name, open !== undefined);
    return 'fd' in peer ? this.#sendAll(peer, batch) : { taken: 0, blocked: peer };
  }

  close(): void {
    for (const peer of this.#peers.values()) this.#forget(peer);
  }

  #sendAll(start: Peer, batch: readonly Outgoing[]): Delivery | Promise<Delivery> {
    let peer = start;
    let isAnew = false;
    let taken = 0;
    while (taken < batch.length) {
      const result = this.#send(peer, batch, taken);
      if (result > 0) taken += result;
      if (result >= 0 && this.#isFull) return this.#keepTrying(peer, batch, taken);
      if (result >= 0) continue;
      if (result === -EAGAIN) return this.#keepTrying(peer, batch, taken);
      if (result === -ENOBUFS || result === -ENOMEM) return { taken, blocked: sleep(shortage) };
      if (result === -EMSGSIZE) return { taken, error: this.#tooLarge(peer, batch[taken]?.bytes.length ?? 0) };
      this.#forget(peer);
      // Its reader has gone or is leaving, perhaps to come again under the same name.
      const hasGone = result === -ECONNREFUSED || result === -ENOTCONN || result === -EPIPE;
      const next = hasGone && !isAnew ? this.#openAfter(peer.name, taken) : this.#failed(result, peer);
      if (isIpcError(next)) return { taken, error: next };
      if (!('fd' in next)) return { taken, blocked: next };
      peer = next;
      isAnew = true;
    }
    return { taken };
  }

  /**
   * A full queue holds eleven datagrams, which a reader that reads takes out in some ten microseconds if they are small: less
   * than it costs to go to sleep and be woken. So for a few turns of the event loop it is tried again; fewer after it was in vain.
   */
  #keepTrying(peer: Peer, batch: readonly Outgoing[], taken: number): Delivery | Promise<Delivery> {
    if (peer.patience < 1) {
      peer.patience = leastPatience;
      return { taken, blocked: peer.room.wait() };
    }
    return this.#tryInTurns(peer, batch, taken);
  }

  async #tryInTurns(peer: Peer, batch: readonly Outgoing[], taken: number): Promise<Delivery> {
    peer.isTrying = true;
    try {
      for (let turns = 0; taken < batch.length && turns < peer.patience; turns++) {
        await turn();
        if (this.#peers.get(peer.name) !== peer) return { taken, blocked: turn() };
        // One to see whether there is room: to make all of them anew for a queue that is full costs more than to ask.
        let result = this.#send(peer, batch, taken, 1);
        if (result > 0) {
          turns = -1;
          peer.patience = Math.min(peer.patience * 2, mostPatience);
        }
        while (result > 0) {
          taken += result;
          result = taken < batch.length && !this.#isFull ? this.#send(peer, batch, taken) : -EAGAIN;
        }
        // The next call meets it again, and deals with it.
        if (result !== -EAGAIN) return { taken, blocked: turn() };
      }
    } finally {
      peer.isTrying = false;
    }
    if (taken === batch.length) return { taken };
    peer.patience = Math.floor(peer.patience / 2);
    return { taken, blocked: peer.room.wait() };
  }

  /** Sends so many datagrams at most; returns how many messages, or -errno. */
  #send(peer: Peer, batch: readonly Outgoing[], first: number, most = mostAtOnce): number {
    const datagrams = peer.packs ? this.#packer.pack(batch, first, most) : singly(batch, first, most);
    const sent = this.#native.sendBatch(peer.fd, datagrams, 0);
    this.#isFull = sent < datagrams.length;
    return peer.packs && sent > 0 ? (this.#packer.ends[sent - 1] ?? first) - first : sent;
  }

  #failed(result: number, peer: Peer): IpcError {
    return this.#reachability.failed(systemError(result, 'sendmmsg', peer.path), peer.name);
  }

  /** The client has asked before; only a send buffer that was made smaller since lets this happen. */
  #tooLarge(peer: Peer, length: number): IpcError {
    const text = `cannot send to ${quote(peer.name)}: ${length} bytes are more than a datagram takes here; use ConnectionUnix, or send it in parts`;
    return new IpcError('IPCM_MESSAGE_TOO_LARGE', text, { peer: peer.name, protocol: 'UnixSocket' });
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
    const opened = this.#tryConnect(path, name);
    if (opened === undefined) {
      const absent = this.#reachability.absent(name, known);
      if (isIpcError(absent)) throw absent;
      return absent;
    }
    this.#reachability.reached(name);
    const { fd } = opened;
    this.#native.setSendBufferSize(fd, wishedBuffer);
    const room = new Room(fd, this.#native);
    const peer = {
      ...opened,
      name,
      path,
      room,
      // Asked once it is connected to: what is said then is of the owner of this socket, or of one who comes when nobody reads it.
      packs: this.#reachability.packs(name),
      checkedAt: performance.now(),
      patience: mostPatience,
      isTrying: false,
    };
    // Before it is there itself: where all others are waited for, it would be the one to go.
    if (this.#peers.size >= mostOpen) this.#closeIdle(1);
    this.#peers.set(name, peer);
    return peer;
  }

  /** Undefined where nobody reads it. */
  #tryConnect(path: string, name: string): Pick<Peer, 'fd' | 'inode'> | undefined {
    for (let isAgain = false; ; isAgain = true) {
      try {
        // Looked at first: connecting would follow a symbolic link.
        const entry = this.#reachability.isDead(name) ? undefined : look(path);
        return entry?.isSocket() === true ? { fd: this.#native.connectDatagram(path), inode: entry.ino } : undefined;
      } catch (error) {
        const code = systemCode(error);
        // EPROTOTYPE: a socket of another kind, which nobody of this bus reads.
        if (isMissing(error) || code === 'ECONNREFUSED' || code === 'EPROTOTYPE') return undefined;
        const isFull = code === 'EMFILE' || code === 'ENFILE';
        if (!isFull || isAgain || this.#closeIdle(mostOpen) === 0) throw this.#reachability.failed(error, name);
      }
    }
  }

  /** False where another socket, or none, is at the peer's place now. */
  #isCurrent(peer: Peer): boolean {
    const now = performance.now();
    if (now - peer.checkedAt < belief) return true;
    peer.checkedAt = now;
    return look(peer.path)?.ino === peer.inode;
  }

  /** Closes sockets that nothing waits for, those opened longest ago first; returns how many. */
  #closeIdle(most: number): number {
    let closed = 0;
    for (const peer of this.#peers.values()) {
      if (closed >= most) break;
      if (peer.room.waiting || peer.isTrying) continue;
      this.#forget(peer);
      closed++;
    }
    return closed;
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer.name);
    peer.room.close();
    this.#native.close(peer.fd);
  }
}

function singly(batch: readonly Outgoing[], first: number, most: number): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let n = first; n < batch.length && datagrams.length < most; n++) {
    const bytes = batch[n]?.bytes;
    if (bytes !== undefined) datagrams.push(bytes);
  }
  return datagrams;
}
