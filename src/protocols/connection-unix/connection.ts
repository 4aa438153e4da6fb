/** One client on a store of stream sockets. */
import { existsSync } from 'node:fs';
import { IpcError, quote } from '../../errors.ts';
import type {
  ConnectRequest,
  Connection,
  Delivery,
  Incoming,
  Outgoing,
  ReceiveLimit,
} from '../../protocol/protocol.ts';
import type { Links } from '../../protocol/links.ts';
import type { Stats } from '../../protocol/stats.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import type { Member } from '../directory/member.ts';
import { isDirectory } from '../directory/files.ts';
import { entryFor } from '../directory/names.ts';
import { isReceived } from './channel.ts';
import { Dialer } from './dial.ts';
import { Doorbell } from './doorbell.ts';
import { formatHello } from './hello.ts';
import { UnixLinks } from './links.ts';
import type { Listener } from './listener.ts';
import { Loopback } from './loopback.ts';
import type { Settings } from './settings.ts';
import { headSize } from '../directory/framing.ts';
import type { StreamSocket } from './stream-socket.ts';
import { Switchboard } from './switchboard.ts';
import { turns } from './turns.ts';

/** Milliseconds in which peers have to end their connections to a client that leaves. */
const leaving = 1000;
/** Milliseconds for which an entry that was seen is believed to be there still: to look costs 2 µs. */
const belief = 10;
/** Polls of the event loop in which a look for messages follows up what came in the one before. */
const mostPolls = 16;
/** How often a connection is made anew for one batch, where it ends before it has taken anything. */
const mostTries = 3;

/** A connection over sockets to each peer. */
export class UnixConnection implements Connection {
  readonly headroom = headSize;
  readonly links: Links;
  readonly #member: Member;
  readonly #listener: Listener | undefined;
  readonly #board: Switchboard;
  readonly #dialer: Dialer;
  readonly #loopback = new Loopback();
  readonly #doorbell: Doorbell;
  readonly #hello: Uint8Array;
  /** When the entry was last seen to be there, on `performance.now()`'s clock. */
  #seen = 0;
  /** Until when a client that leaves waits for what is under way to it. */
  #sealedUntil: number | undefined;

  constructor(member: Member, kind: EntryKind, parts: ConnectionParts) {
    const { listener, settings, request } = parts;
    const nameLimit = kind.nameLimit(member.place.route);
    this.#member = member;
    this.#listener = listener;
    this.#board = new Switchboard(member, settings, request.report);
    this.#dialer = new Dialer(member, nameLimit, (peer, reap) => {
      const reaper = { place: member.place, kind, self: member.identity };
      const reaped = reap(reaper, entryFor(peer, nameLimit));
      if (reaped !== undefined) request.report.reaped(reaped);
    });
    this.#doorbell = new Doorbell(settings.spin);
    this.#hello = formatHello(member.name, member.options.serializer);
    this.links = new UnixLinks({ member, kind, peers: this.#board.peers, dialer: this.#dialer });
    listener?.start({
      accept: (socket) => this.#accept(socket),
      failed: (error) => request.report.rejected(this.#cannotAccept(error)),
    });
  }

  deliver(peer: string, batch: readonly Outgoing[]): Delivery | Promise<Delivery> {
    if (peer === this.#member.name) return this.#toMyself(batch);
    return this.#send(peer, batch) ?? this.#connectAndSend(peer, batch);
  }

  receive(limit: ReceiveLimit): Incoming[] | Promise<Incoming[]> {
    const found = this.#collect(limit);
    if (found.length > 0) this.#doorbell.received();
    else if (limit.hinted === true && !this.#member.sealed) this.#checkEntry();
    else if (!this.#nothingWaits()) return this.#look(limit);
    return found;
  }

  /** Once it rings, what came last is read past the event loop; what else rings the loop finds when it polls next. */
  spin(): boolean {
    return this.#doorbell.spin() && this.#board.readNow();
  }

  ready(): boolean | Promise<boolean> {
    return this.#somethingThere() || this.#follow(() => this.#somethingThere());
  }

  pending(): boolean | Promise<boolean> {
    return this.#board.partial || this.#follow(() => this.#board.partial);
  }

  watchInbox(wake: () => void): () => void {
    return this.#board.onWake(wake);
  }

  acknowledge(): void {
    // Never read with acknowledgement: there is nothing to acknowledge.
  }

  release(): void {
    // The same: nothing was kept.
  }

  requeue(messages: readonly Outgoing[]): void {
    this.#loopback.requeue(messages);
    this.#board.wake();
  }

  /** What is no message costs its sender the connection. */
  reject(incoming: Incoming): void {
    if (isReceived(incoming)) this.#board.reject(incoming.channel);
  }

  writeStats(stats: Stats): void {
    this.#member.writeStats(stats);
  }

  readStats(): Stats | undefined {
    return this.#member.readStats();
  }

  async seal(): Promise<void> {
    this.#dialer.close();
    try {
      this.#member.seal();
    } finally {
      // Who connected while the entry was there may have sent something already.
      await this.#listener?.drain();
      this.#sealedUntil = performance.now() + leaving;
      this.#board.closeAll();
    }
  }

  disconnect(): void {
    this.#close();
    this.#member.leave();
  }

  suspend(): void {
    // Refused by the client, as the capabilities say that nobody can.
    this.disconnect();
  }

  closeSync(stats?: Stats): void {
    this.#close();
    this.#member.leaveSync(stats);
  }

  #accept(socket: StreamSocket): void {
    this.#board.accept(socket);
    if (this.#sealedUntil !== undefined) this.#board.closeAll();
  }

  #cannotAccept(cause: Error): IpcError {
    const { name, place } = this.#member;
    const text = `${quote(name)} cannot accept a connection: ${cause.message}; whoever connects waits, and it is tried again`;
    return new IpcError('IPCM_STORE_FAILED', text, { client: name, ...place, cause });
  }

  #close(): void {
    this.#dialer.close();
    this.#listener?.close();
    this.#board.destroy();
  }

  #toMyself(batch: readonly Outgoing[]): Delivery {
    const delivery = this.#loopback.deliver(batch);
    this.#board.wake();
    return delivery;
  }

  /** Sends over a connection that is there; undefined where there is none, or it turned out to be dead. */
  #send(peer: string, batch: readonly Outgoing[]): Delivery | Promise<Delivery> | undefined {
    const { peers } = this.#board;
    for (let channel = peers.sending(peer); channel !== undefined; channel = peers.sending(peer)) {
      const sent = channel.send(batch);
      if (sent === true) return { taken: batch.length };
      if (sent !== false) return this.#outcome(peer, batch, sent);
    }
    return undefined;
  }

  async #outcome(peer: string, batch: readonly Outgoing[], sent: Promise<boolean>): Promise<Delivery> {
    if (await sent) return { taken: batch.length };
    throw this.#dialer.broken(peer);
  }

  async #connectAndSend(peer: string, batch: readonly Outgoing[]): Promise<Delivery> {
    for (let tries = 0; tries < mostTries; tries++) {
      let socket: StreamSocket | undefined;
      let failure: unknown;
      try {
        socket = await this.#dialer.connect(peer);
      } catch (error) {
        failure = error;
      }
      // It may have connected to us meanwhile, also if it does not listen.
      const delivery = this.#send(peer, batch);
      if (delivery !== undefined) {
        socket?.destroy();
        return delivery;
      }
      if (socket === undefined) throw failure;
      const sent = this.#board.dialed(socket, peer).send(batch, this.#hello);
      if (sent === true) return { taken: batch.length };
      if (sent !== false) return this.#outcome(peer, batch, sent);
    }
    throw this.#dialer.broken(peer);
  }

  #collect(limit: ReceiveLimit): Incoming[] {
    const found: Incoming[] = [];
    const used = this.#loopback.ready ? this.#loopback.take(limit, found) : 0;
    if (used !== Infinity) this.#board.peers.take(limit, found, used);
    return found;
  }

  #somethingThere(): boolean {
    return this.#loopback.ready || this.#board.peers.ready;
  }

  /** True when it is certain that nothing has come: then there is no need to let the event loop poll. */
  #nothingWaits(): boolean {
    const board = this.#board;
    if (this.#member.sealed || board.unpolled || board.peers.holding || this.#doorbell.rings()) return false;
    this.#checkEntry();
    return true;
  }

  /** What the kernel has for us; of a client that leaves also what its peers have under way. */
  async #look(limit: ReceiveLimit): Promise<Incoming[]> {
    await this.#follow(() => this.#somethingThere());
    while (this.#sealedUntil !== undefined && !this.#somethingThere() && this.#board.open) {
      if (!(await this.#news(this.#sealedUntil - performance.now()))) break;
    }
    // Who has not ended its half by now does not learn in time that nobody reads what it sends.
    if (this.#sealedUntil !== undefined && !this.#somethingThere() && this.#board.open) this.#board.cutAll();
    const found = this.#collect(limit);
    if (found.length === 0) this.#checkEntry();
    return found;
  }

  /** Throws `IPCM_STORE_MISSING` when nobody can connect to us any more: sockets go on without the store. */
  #checkEntry(): void {
    const member = this.#member;
    const now = performance.now();
    if (member.sealed || now - this.#seen < belief) return;
    this.#seen = now;
    if (existsSync(member.path)) return;
    const { place, name } = member;
    const what = isDirectory(place.route) ? `its entry in ${place.route} has` : `the store at ${place.route} has`;
    const text = `${quote(name)} cannot receive: ${what} been removed by somebody; connect anew`;
    throw new IpcError('IPCM_STORE_MISSING', text, { client: name, ...place });
  }

  /** Lets the event loop poll, and poll again while that brings something, until there is what is looked for. */
  async #follow(found: () => boolean): Promise<boolean> {
    const board = this.#board;
    for (let polls = 0; polls < mostPolls && !found(); polls++) {
      const { activity } = board;
      await turns(polls === 0 ? 2 : 1);
      if (board.activity === activity && !board.peers.holding) break;
    }
    return found();
  }

  /** Waits until something changes; false when the time is over. */
  #news(milliseconds: number): Promise<boolean> {
    if (milliseconds <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (changed: boolean): void => {
        clearTimeout(timer);
        stop();
        resolve(changed);
      };
      const timer = setTimeout(() => end(false), milliseconds);
      const stop = this.#board.onWake(() => end(true));
    });
  }
}

/** What a connection is made of beside its name. */
export interface ConnectionParts {
  readonly listener: Listener | undefined;
  readonly settings: Settings;
  readonly request: ConnectRequest;
}
