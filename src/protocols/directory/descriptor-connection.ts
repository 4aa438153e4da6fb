/**
 * A client whose entry is a descriptor that it reads (a FIFO, a datagram socket): all of a connection but how bytes become
 * messages and messages bytes.
 *
 * Sealing: the entry is unlinked, so that nobody new begins to send. Who has it open could go on until the descriptor is
 * closed, so all that is in there is taken into memory (it is bounded by the kernel), and the descriptor is closed when
 * nothing more can come in, with no message half-written by a living sender. From then on the kernel refuses what is sent, and
 * nothing is lost unseen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError, quote } from '../../errors.ts';
import type { Native } from '../../native/native.ts';
import type { Awaitable, Connection, Delivery, Incoming, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';
import { DescriptorWatch } from './descriptor-watch.ts';
import { look } from './files.ts';
import type { Member } from './member.ts';
import { Spin, spinOption } from './spin.ts';

/** Where messages come from. */
export interface Source {
  readonly fd: number;
  /** To be called before a series of `next`: what was handed out before is not needed any more. */
  begin(): void;
  /**
   * The next whole message, good until the next `begin`; undefined when the descriptor has been empty since `begin`, or has given
   * as much as is good for the event loop.
   */
  next(): Uint8Array | undefined;
  /** After `next` found nothing more: whether the descriptor has been empty. */
  readonly isEmpty: boolean;
  /** True while a message is here in part, whoever sends it: looking for the rest finds out whether it still can come. */
  readonly begun: boolean;
  /** True while a message of a living sender is here in part. */
  incomplete(): boolean;
  /**
   * Keeps others from putting anything in, once and for all. False where something may have come in meanwhile: it is to be
   * taken, and this to be called again.
   */
  shut(): boolean;
  close(): void;
}

/** Where messages go. */
export interface Sink {
  /** See `Connection`. */
  readonly headroom: number;
  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery>;
  close(): void;
}

/** For how long a half-written message keeps a leaving client, in milliseconds. */
const linger = 1000;

/** How often such a client looks for the rest, in milliseconds. */
const lingerInterval = 2;

/** How often an idle reader asks whether its entry is still there, in milliseconds. */
const belief = 50;

/** A connection that reads a descriptor. */
export class DescriptorConnection implements Connection {
  readonly headroom: number;
  readonly #member: Member;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #watch: DescriptorWatch;
  readonly #spin: Spin;
  readonly #inode: bigint | undefined;
  /** Received before what is in the descriptor: put back (the first ones), read and not handed out (the others). */
  readonly #front: Uint8Array[] = [];
  #requeued = 0;
  #believed = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(member: Member, source: Source, sink: Sink, native: Native | undefined) {
    this.#member = member;
    this.#source = source;
    this.#sink = sink;
    this.headroom = sink.headroom;
    this.#watch = new DescriptorWatch(source.fd, member.path, native);
    this.#spin = new Spin(native, spinOption(member.options.protocolOptions));
    this.#inode = look(member.path)?.ino;
  }

  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery> {
    return this.#sink.deliver(peer, batch);
  }

  receive(limit: ReceiveLimit): Incoming[] {
    if (limit.hinted === true && this.#watch.quiet && this.#front.length === 0 && !this.#source.begun) {
      this.#begin();
      this.#assertThere();
      return [];
    }
    // What is read now and not handed out is no business of the poller's.
    this.#watch.rang();
    const found: Incoming[] = [];
    let size = 0;
    this.#begin();
    while (found.length < limit.messages) {
      const requeued = this.#requeued;
      const bytes = this.#next();
      if (bytes === undefined) break;
      size += bytes.length;
      if (size > limit.bytes && found.length > 0) {
        this.#front.unshift(bytes.slice());
        this.#requeued = requeued;
        break;
      }
      found.push({ bytes });
    }
    if (found.length > 0) this.#spin.received();
    else this.#assertThere();
    return found;
  }

  ready(): boolean {
    if (this.#front.length > 0) return true;
    this.#watch.rang();
    this.#begin();
    const bytes = this.#next();
    if (bytes === undefined) this.#assertThere();
    else this.#front.push(bytes.slice());
    return bytes !== undefined;
  }

  pending(): boolean {
    // Looking takes what is there off the descriptor, up to the first whole message.
    this.ready();
    return !this.#isClosed && this.#source.incomplete();
  }

  watchInbox(wake: () => void): () => void {
    return this.#isClosed ? () => undefined : this.#watch.add(wake);
  }

  /** Waits for a message without giving up the processor, if that was asked for; true when it is worth looking again. */
  spin(): boolean {
    if (this.#isClosed || !this.#spin.try(this.#source.fd)) return false;
    this.#watch.rang();
    return true;
  }

  acknowledge(): void {
    // Never asked for: the capability is not there.
  }

  release(): void {
    // As above.
  }

  /** In memory: nothing of these clients outlives them. */
  requeue(messages: readonly Outgoing[]): void {
    this.#front.splice(this.#requeued, 0, ...messages.map(({ bytes }) => bytes));
    this.#requeued += messages.length;
    this.#watch.wake();
  }

  writeStats(stats: Stats): void {
    this.#member.writeStats(stats);
  }

  readStats(): Stats | undefined {
    return this.#member.readStats();
  }

  async seal(): Promise<void> {
    if (this.#isClosed) return;
    this.#member.seal();
    const end = performance.now() + linger;
    for (let isShut = false; !isShut;) {
      while (this.#drain());
      const late = performance.now() - end;
      if (late < 0 && this.#source.incomplete()) await sleep(lingerInterval);
      else isShut = this.#source.shut() || late > linger;
    }
    this.#close();
  }

  disconnect(): void {
    this.#close();
    this.#member.leave();
  }

  suspend(): never {
    const { name, place } = this.#member;
    const text = `${quote(name)} cannot suspend: clients of ${place.protocol} keep nothing while they are away; disconnect`;
    throw new IpcError('IPCM_NOT_SUPPORTED', text, { client: name, ...place });
  }

  closeSync(stats?: Stats): void {
    // The entry goes first: whoever finds the descriptor closed must not take it for a dead client's.
    this.#member.leaveSync(stats);
    this.#close();
  }

  #begin(): void {
    if (!this.#isClosed) this.#source.begin();
  }

  /** The next message: one that waits here, or else one from the descriptor. */
  #next(): Uint8Array | undefined {
    if (this.#front.length > 0) {
      if (this.#requeued > 0) this.#requeued--;
      return this.#front.shift();
    }
    if (this.#isClosed) return undefined;
    const bytes = this.#source.next();
    if (bytes !== undefined) return bytes;
    if (this.#source.isEmpty) this.#watch.emptied();
    // Nobody tells of what was left in there.
    else setImmediate(() => this.#watch.wake());
    return undefined;
  }

  /** Takes what is in the descriptor into memory; false when there was nothing. */
  #drain(): boolean {
    if (this.#isClosed) return false;
    this.#source.begin();
    let found = false;
    for (let bytes = this.#source.next(); bytes !== undefined; bytes = this.#source.next()) {
      this.#front.push(bytes.slice());
      found = true;
    }
    return found || !this.#source.isEmpty;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.close();
    this.#source.close();
    this.#sink.close();
  }

  /** Throws when the entry has been removed by somebody: nothing can come any more. */
  #assertThere(): void {
    const now = performance.now();
    if (now - this.#believed < belief || this.#isClosed || this.#member.sealed) return;
    this.#believed = now;
    const { name, path, place } = this.#member;
    const state = this.#member.attempt('receive', () => look(path));
    if (state !== undefined && state.ino === this.#inode) return;
    this.#believed = Number.NEGATIVE_INFINITY;
    const what = look(place.route) === undefined ? `there is no store at ${place.route} any more` : `${path} is gone`;
    const text = `cannot receive: ${what}, removed by somebody; connect anew`;
    throw new IpcError('IPCM_STORE_MISSING', text, { client: name, ...place });
  }
}
