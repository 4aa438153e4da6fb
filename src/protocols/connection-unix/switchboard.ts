/**
 * All channels of a client: taking them in, telling who they are, and parting with those that misbehave. One file, since every
 * one of its steps changes the same few sets.
 */
import { IpcError, quote, type ErrorCode } from '../../errors.ts';
import type { Credentials } from '../../native/native.ts';
import type { Member } from '../directory/member.ts';
import type { ConnectionReport } from '../../protocol/protocol.ts';
import { Channel, type ChannelOwner } from './channel.ts';
import { strangerAt } from './credentials.ts';
import { parseHello } from './hello.ts';
import { Packer } from './pack.ts';
import { Peers } from './peers.ts';
import type { Settings } from './settings.ts';
import type { StreamSocket } from './stream-socket.ts';
import { turns } from './turns.ts';

/** Milliseconds in which whoever connects has to say who it is. */
const helloTimeout = 5000;
/** Milliseconds that a peer has to end its half of a connection after we have ended ours. */
const closingTimeout = 1000;
/** How often deadlines are looked at while there are any, in milliseconds. */
const sweepInterval = 100;
/** More who have not said who they are than this, and those silent for a second make room. */
const crowd = 256;
/** More than this are never let in. */
const mostUnidentified = 4096;

/** The channels of a client. */
export class Switchboard implements ChannelOwner {
  readonly packer = new Packer();
  readonly maxMessageBytes: number;
  readonly peers: Peers;
  /** Changes whenever somebody has connected or bytes have come. */
  activity = 0;
  /** True while there is a descriptor for which the event loop has not polled yet. */
  unpolled = false;
  #resumes = 0;
  readonly #member: Member;
  readonly #settings: Settings;
  readonly #report: ConnectionReport;
  readonly #wakers = new Set<() => void>();
  readonly #channels = new Set<Channel>();
  /** In the order in which they connected. */
  readonly #unidentified = new Set<Channel>();
  /** Those who have said who they are, and wait for those who connected before them. */
  #entering = 0;
  /** Over which something came last. */
  #last: Channel | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  /** When deadlines were last looked at. */
  #swept = 0;
  #closing = false;

  constructor(member: Member, settings: Settings, report: ConnectionReport) {
    this.#member = member;
    this.#settings = settings;
    this.#report = report;
    this.maxMessageBytes = member.options.limits.maxMessageBytes;
    this.peers = new Peers(member.name, () => this.wake());
    this.resumed();
  }

  /** True while something may still come over a connection that is there. */
  get open(): boolean {
    for (const channel of this.#channels) if (!channel.ended) return true;
    return this.#entering > 0 || this.peers.holding;
  }

  /** True in the midst of a message from somebody. */
  get partial(): boolean {
    for (const channel of this.#channels) if (channel.partial) return true;
    return false;
  }

  /** Calls `wake` when something has come; returns how to stop. */
  onWake(wake: () => void): () => void {
    // A waker of its own each time: the same function may wait twice.
    const waker = (): void => wake();
    this.#wakers.add(waker);
    return () => this.#wakers.delete(waker);
  }

  /** Reads what came over the channel that something came over last, past the event loop; true when something had. */
  readNow(): boolean {
    return this.#last?.readNow() === true && this.peers.ready;
  }

  wake(): void {
    for (const waker of this.#wakers) waker();
  }

  /** Somebody has connected to us. */
  accept(socket: StreamSocket): void {
    this.activity++;
    const stranger = strangerAt(socket, this.#settings.allowUsers);
    if (stranger !== undefined) return this.#refuse(socket, stranger);
    if (!this.#makeRoom()) return this.#refuse(socket);
    const channel = this.#add(socket, false);
    this.#unidentified.add(channel);
    this.watch();
  }

  /** We have connected to a peer. */
  dialed(socket: StreamSocket, name: string): Channel {
    const channel = this.#add(socket, true);
    this.peers.enter(name, channel);
    return channel;
  }

  hello(channel: Channel, bytes: Uint8Array): void {
    let name: string;
    try {
      name = parseHello(bytes, this.#member.options.serializer);
    } catch (error) {
      this.#tell('IPCM_MALFORMED_MESSAGE', 'a connection was dropped', { cause: error });
      channel.drop();
      return;
    }
    const [first] = this.#unidentified;
    if (first === channel) this.#enter(channel, name);
    else {
      // Somebody connected before it, perhaps the same peer: what that one has sent by now comes first.
      this.#entering++;
      void turns(2).then(() => {
        this.#entering--;
        this.#enter(channel, name);
        this.wake();
      });
    }
  }

  arrived(channel: Channel): void {
    this.activity++;
    this.#last = channel;
    this.peers.arrived(channel);
  }

  ended(channel: Channel, torn: number): void {
    this.activity++;
    if (torn > 0 && channel.condemned === undefined && !this.#closing) {
      const what = `a connection ended in the midst of a frame, of which ${torn} bytes had come`;
      this.#tell('IPCM_MALFORMED_MESSAGE', what, { channel });
    }
    this.peers.ended(channel);
    this.wake();
  }

  closed(channel: Channel): void {
    this.#channels.delete(channel);
    this.#unidentified.delete(channel);
    if (this.#last === channel) this.#last = undefined;
    this.wake();
  }

  refused(channel: Channel, length: number): void {
    if (!channel.greeted || length === 0) {
      const which = channel.greeted ? 'a frame' : 'its first frame';
      const what = `a connection was dropped: ${which} announces ${length} bytes`;
      this.#condemn(channel, this.#error('IPCM_MALFORMED_MESSAGE', what, { channel }));
      channel.drop();
      return;
    }
    const limit = this.maxMessageBytes;
    const what = `a message of ${length} bytes is over the limit of ${limit}, and its connection is closed: raise maxMessageBytes`;
    this.#condemn(channel, this.#error('IPCM_MESSAGE_TOO_LARGE', what, { channel }));
    channel.close();
  }

  /** A frame turned out to be no message; the client has reported it. */
  reject(channel: Channel): void {
    channel.condemned ??= this.#error('IPCM_MALFORMED_MESSAGE', 'it carried what is no message', { channel });
    channel.close();
  }

  watch(): void {
    if (this.#sweeper !== undefined || this.#closing) return;
    this.#swept = performance.now();
    this.#sweeper = setInterval(() => this.#sweep(), sweepInterval);
    this.#sweeper.unref();
  }

  /** Nothing more is sent; what is under way to us is still received. */
  closeAll(): void {
    for (const channel of this.#channels) channel.close();
  }

  /** Closes everything, after a last look at what peers have sent. */
  cutAll(): void {
    for (const channel of this.#channels) channel.cut();
  }

  /** Closes everything. */
  destroy(): void {
    this.#closing = true;
    clearInterval(this.#sweeper);
    for (const channel of this.#channels) channel.drop();
    this.#wakers.clear();
  }

  resumed(): void {
    const resumes = ++this.#resumes;
    this.unpolled = true;
    void turns(2).then(() => {
      // Another descriptor has come since, which that poll may not have seen.
      if (this.#resumes === resumes) this.unpolled = false;
    });
  }

  #add(socket: StreamSocket, initiated: boolean): Channel {
    const channel = new Channel(socket, initiated, this);
    this.#channels.add(channel);
    return channel;
  }

  #enter(channel: Channel, name: string): void {
    this.#unidentified.delete(channel);
    this.peers.enter(name, channel);
  }

  /** Closes a connection to us, of a stranger or of one too many. */
  #refuse(socket: StreamSocket, stranger?: Credentials | 'unknown'): void {
    socket.destroy();
    const { name, place } = this.#member;
    const facts = { client: name, ...place };
    const why = stranger === 'unknown' ? 'the system does not say whose it is' : 'too many do not say who they are';
    const error =
      stranger === undefined || stranger === 'unknown'
        ? new IpcError('IPCM_PEER_REFUSED', `${quote(name)} refused a connection: ${why}`, facts)
        : new IpcError(
            'IPCM_PEER_REFUSED',
            `${quote(name)} refused a connection of process ${stranger.pid}, which runs as user ${stranger.uid}; allow that with the option allowUsers`,
            { ...facts, pid: stranger.pid, details: { uid: stranger.uid } },
          );
    this.#report.rejected(error);
  }

  /** False where the newcomer is one too many. */
  #makeRoom(): boolean {
    if (this.#unidentified.size < crowd) return true;
    const [oldest] = this.#unidentified;
    if (oldest !== undefined && performance.now() - oldest.born > 1000) this.#late(oldest, 'others wait');
    return this.#unidentified.size < mostUnidentified;
  }

  #late(channel: Channel, why: string): void {
    const isKnown = channel.condemned !== undefined;
    const error = this.#error('IPCM_MALFORMED_MESSAGE', `a connection was dropped: ${why}`, { channel });
    channel.condemned ??= error;
    this.#unidentified.delete(channel);
    if (channel.greeted) channel.drop();
    else {
      // What it has said may be with the kernel since our event loop was busy: a message in there counts as sent.
      channel.cut();
      if (channel.greeted) return;
    }
    if (!isKnown) this.#report.rejected(error);
  }

  /** Parts with whoever has missed a deadline. */
  #sweep(): void {
    const now = performance.now();
    // Stopped, or busy: what came meanwhile is with the kernel, and is read only after this.
    const missed = now - this.#swept - sweepInterval;
    this.#swept = now;
    if (missed > sweepInterval) for (const channel of this.#channels) channel.putOff(missed);
    let watched = this.#unidentified.size;
    for (const channel of this.#unidentified) {
      if (now - channel.born > helloTimeout) this.#late(channel, `it did not say in ${helloTimeout} ms who it is`);
    }
    for (const channel of this.#channels) {
      const { closingSince, partialSince } = channel;
      if (partialSince === undefined && closingSince === undefined) continue;
      watched++;
      // What is not read since our own reader is behind is not late.
      if (channel.paused) continue;
      // Of what is under way in either direction the rest is waited for, as if nobody had closed.
      const isBusy = channel.condemned === undefined && (channel.sending || channel.partial);
      if (closingSince !== undefined && isBusy) channel.closingSince = now;
      if (partialSince !== undefined && now - partialSince > this.#settings.partialFrameTimeout) {
        this.#late(channel, `a frame was not whole after ${this.#settings.partialFrameTimeout} ms`);
      } else if (closingSince !== undefined && !isBusy && now - closingSince > closingTimeout) {
        if (channel.condemned === undefined) channel.cut();
        else channel.drop();
      }
    }
    if (watched > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #condemn(channel: Channel, error: IpcError): void {
    channel.condemned ??= error;
    this.#report.rejected(error);
  }

  #tell(code: ErrorCode, what: string, facts: { channel?: Channel; cause?: unknown } = {}): void {
    this.#report.rejected(this.#error(code, what, facts));
  }

  #error(code: ErrorCode, what: string, facts: { channel?: Channel; cause?: unknown }): IpcError {
    const { name, place } = this.#member;
    const peer = facts.channel?.peer;
    const from = peer === undefined ? '' : ` from ${quote(peer)}`;
    const why = facts.cause instanceof Error ? `: ${facts.cause.message}` : '';
    return new IpcError(code, `${quote(name)} received something bad${from}: ${what}${why}`, {
      client: name,
      ...(peer === undefined ? {} : { peer }),
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
      ...place,
    });
  }
}
