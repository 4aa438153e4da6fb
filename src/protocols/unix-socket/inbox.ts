/** Receiving: a datagram is a message, or a pack of several. */
import { constants } from 'node:os';
import { IpcError } from '../../errors.ts';
import { systemError, type Native } from '../../native/native.ts';
import type { ConnectionReport } from '../../protocol/protocol.ts';
import type { Source } from '../directory/descriptor-connection.ts';
import { storeError } from '../directory/files.ts';
import { headSize } from '../directory/framing.ts';
import type { Member } from '../directory/member.ts';
import { giveSpare, spareSize, takeSpare } from '../directory/spare.ts';
import { mostPacked, unpack } from './pack.ts';
import { largestDatagram, mostAtOnce } from './sizes.ts';

/**
 * Where the kernel puts datagrams, each into a slot that holds the largest; one arena for all connections of a thread, since
 * what comes is copied out at once. Of its megabytes only the pages that are ever written to take memory.
 */
let arena: Uint8Array | undefined;
const lengths = new Int32Array(mostAtOnce);

const none = new Uint8Array(0);

const again = -constants.errno.EAGAIN;

/** Reads one socket. */
export class Inbox implements Source {
  readonly fd: number;
  readonly #native: Native;
  readonly #member: Member;
  readonly #report: ConnectionReport;
  /** Bytes of a message, and of a datagram. */
  readonly #limit: number;
  readonly #slot: number;
  #block: Uint8Array = none;
  #used = 0;
  #messages: Uint8Array[] = [];
  #at = 0;
  #isEmpty = false;
  #isShut = false;

  /** Takes over the descriptor. */
  constructor(fd: number, native: Native, member: Member, report: ConnectionReport) {
    this.fd = fd;
    this.#native = native;
    this.#member = member;
    this.#report = report;
    this.#limit = Math.max(1, Math.min(largestDatagram, member.options.limits.maxMessageBytes));
    this.#slot = Math.min(largestDatagram, Math.max(this.#limit + headSize, mostPacked));
  }

  begin(): void {
    this.#isEmpty = false;
    if (this.#messages[this.#at] !== undefined) return;
    giveSpare(this.#block);
    this.#block = none;
    this.#used = 0;
  }

  next(): Uint8Array | undefined {
    for (;;) {
      const message = this.#messages[this.#at];
      if (message !== undefined) {
        this.#at++;
        return message;
      }
      if (this.#isEmpty) return undefined;
      this.#receive();
    }
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** A datagram is there or not. */
  readonly begun = false;

  /** As above. */
  incomplete(): boolean {
    return false;
  }

  shut(): boolean {
    if (this.#isShut) return true;
    this.#isShut = true;
    const result = this.#native.shutReceiving(this.fd);
    if (result < 0) throw storeError(systemError(result, 'shutdown', this.#member.path), 'leave', this.#member.place);
    return false;
  }

  close(): void {
    this.#native.close(this.fd);
  }

  #receive(): void {
    this.#messages = [];
    this.#at = 0;
    arena ??= Buffer.allocUnsafeSlow(mostAtOnce * largestDatagram);
    const count = this.#native.receiveBatch(this.fd, arena, this.#slot, lengths);
    if (count < 0 && count !== again) {
      throw storeError(systemError(count, 'recvmmsg', this.#member.path), 'receive', this.#member.place);
    }
    // The queue is emptied from its head, so less than asked for says that it is empty without another call.
    if (count < mostAtOnce) this.#isEmpty = true;
    for (let n = 0; n < count; n++) {
      const length = lengths[n] ?? 0;
      if (length > this.#slot) this.#tooLarge(length);
      else unpack(this.#copy(arena, n * this.#slot, length), this.#add);
    }
  }

  readonly #add = (message: Uint8Array): void => {
    if (message.length > this.#limit) this.#tooLarge(message.length);
    else this.#messages.push(message);
  };

  #copy(from: Uint8Array, start: number, length: number): Uint8Array {
    if (this.#used + length > this.#block.length) {
      this.#block = length > spareSize ? new Uint8Array(length) : takeSpare();
      this.#used = 0;
    }
    const message = this.#block.subarray(this.#used, this.#used + length);
    message.set(from.subarray(start, start + length));
    this.#used += length;
    return message;
  }

  #tooLarge(length: number): void {
    const { name, place } = this.#member;
    const text = `client "${name}": a message of ${length} bytes is over the limit of ${this.#limit}: dropped; raise maxMessageBytes, or use ConnectionUnix`;
    this.#report.rejected(new IpcError('IPCM_MESSAGE_TOO_LARGE', text, { client: name, ...place }));
  }
}
