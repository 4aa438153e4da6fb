/**
 * Several messages in one datagram, for peers whose pid file says that they read such: a queue holds eleven datagrams, however
 * large, and one of some kilobytes costs the kernel little more than one of a hundred bytes.
 *
 * A pack is frames (framing.ts) that fill the datagram exactly. Its
 * first byte is 0, since no datagram has 16 MiB. No message of our serializers begins so; one that does goes as a pack of one.
 */
import type { Outgoing } from '../../protocol/protocol.ts';
import { framesInPlace, headSize, readHead, writeHead } from '../directory/framing.ts';
import { largestDatagram, mostAtOnce } from './sizes.ts';

/** Bytes of a pack of several messages: a larger one gains nothing. */
export const mostPacked = Math.min(32 * 1024, largestDatagram);

/** Where messages are copied to that cannot be packed where they are; sent at once, so one does for all. */
let copies: Buffer | undefined;

/** Makes datagrams of messages. */
export class Packer {
  /** After `pack`: the index behind the last message of each datagram. */
  readonly ends: number[] = [];
  #copied = 0;

  /** So many datagrams at most, of the messages from `first` on. Good until the next call. */
  pack(batch: readonly Outgoing[], first: number, most: number): Uint8Array[] {
    const datagrams: Uint8Array[] = [];
    this.ends.length = 0;
    this.#copied = 0;
    for (let at = first; at < batch.length && datagrams.length < most;) {
      let end = at;
      let size = 0;
      for (; end < batch.length; end++) {
        const next = size + headSize + sizeOf(batch[end]);
        if (next > mostPacked && end > at) break;
        size = next;
      }
      datagrams.push(this.#datagram(batch, at, end, size));
      this.ends.push(end);
      at = end;
    }
    return datagrams;
  }

  #datagram(batch: readonly Outgoing[], first: number, end: number, size: number): Uint8Array {
    if (end - first === 1) {
      const alone = bytesOf(batch[first]);
      if (alone[0] !== 0 || size > largestDatagram) return alone;
    }
    return framesInPlace(batch, first, end) ?? this.#copy(batch, first, end, size);
  }

  #copy(batch: readonly Outgoing[], first: number, end: number, size: number): Uint8Array {
    copies ??= Buffer.allocUnsafeSlow(mostAtOnce * mostPacked);
    const isSmall = size <= mostPacked;
    const into = isSmall ? copies : Buffer.allocUnsafe(size);
    const start = isSmall ? this.#copied : 0;
    let at = start;
    for (let n = first; n < end; n++) {
      const bytes = bytesOf(batch[n]);
      into.set(bytes, writeHead(into, at, bytes.length));
      at += headSize + bytes.length;
    }
    if (isSmall) this.#copied = at;
    return into.subarray(start, at);
  }
}

/** Calls `take` with each message of a datagram, in order; of one that is no pack with all of it. */
export function unpack(datagram: Uint8Array, take: (message: Uint8Array) => void): void {
  if (!isPack(datagram)) {
    take(datagram);
    return;
  }
  for (let at = 0, end; at < datagram.length; at = end) {
    end = at + headSize + readHead(datagram, at);
    take(datagram.subarray(at + headSize, end));
  }
}

function isPack(datagram: Uint8Array): boolean {
  if (datagram[0] !== 0) return false;
  let at = 0;
  while (at + headSize < datagram.length) {
    const length = readHead(datagram, at);
    if (length === 0) return false;
    at += headSize + length;
  }
  return at === datagram.length;
}

const none = new Uint8Array(0);

function bytesOf(message: Outgoing | undefined): Uint8Array {
  return message?.bytes ?? none;
}

function sizeOf(message: Outgoing | undefined): number {
  return message?.place?.size ?? bytesOf(message).length;
}
