/**
 * Who is connected over which channels, and in which order their frames are received.
 *
 * A pair of clients keeps one connection. For a moment, or when both connected at once, there are more. A sender then
 * stays with the one that it uses while that one can be used, and so each sender's frames are in order, but for the moment
 * when it goes on from one channel to another. All it wrote to the old one was with the kernel before it wrote to the new
 * one. So frames of another channel than the last are held until the last one has ended, or a whole poll of the event loop
 * has brought nothing more from it.
 */
import type { Incoming, ReceiveLimit } from '../../protocol/protocol.ts';
import type { Channel } from './channel.ts';
import { turns } from './turns.ts';

interface Peer {
  /** In the order of their arrival. */
  readonly channels: Set<Channel>;
  /** The one that we send over. */
  sending: Channel | undefined;
  /** The one whose frames were received last. */
  current: Channel;
  /** Others that have frames. */
  readonly held: Channel[];
  looking: boolean;
}

/** The connected peers of a client. */
export class Peers {
  readonly #peers = new Map<string, Peer>();
  readonly #wake: () => void;
  /** In the order in which they are read next. */
  readonly #ready = new Set<Channel>();
  #holding = 0;

  /** `wake` is called when there is something to take. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** True when there is something to take. */
  get ready(): boolean {
    return this.#ready.size > 0;
  }

  /** True while frames are held back that will be ready soon. */
  get holding(): boolean {
    return this.#holding > 0;
  }

  /** Names of those who are connected. */
  names(): string[] {
    return [...this.#peers.keys()];
  }

  /** The channel to send over: always the same while it can be used, else the newest that can. */
  sending(name: string): Channel | undefined {
    const peer = this.#peers.get(name);
    if (peer === undefined || peer.sending?.usable === true) return peer?.sending;
    peer.sending = [...peer.channels].findLast((channel) => channel.usable);
    return peer.sending;
  }

  /** All channels of a peer. */
  channels(name: string): Channel[] {
    return [...(this.#peers.get(name)?.channels ?? [])];
  }

  /** A channel whose peer is known. */
  enter(name: string, channel: Channel): void {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      peer = { channels: new Set(), sending: undefined, current: channel, held: [], looking: false };
      this.#peers.set(name, peer);
    }
    peer.channels.add(channel);
    channel.peer = name;
    if (channel.initiated) peer.sending = channel;
    if (channel.waiting > 0) this.arrived(channel);
    if (channel.ended) this.ended(channel);
  }

  /** A channel has frames. */
  arrived(channel: Channel): void {
    const peer = this.#of(channel);
    if (peer === undefined) return;
    if (peer.current === channel) {
      this.#ready.add(channel);
      this.#wake();
    } else if (!peer.held.includes(channel)) {
      peer.held.push(channel);
      this.#holding++;
      this.#advance(peer);
    }
  }

  /** Nothing will come over a channel any more. */
  ended(channel: Channel): void {
    const peer = this.#of(channel);
    if (peer === undefined) return;
    if (peer.sending === channel) peer.sending = undefined;
    this.#advance(peer);
    this.#forget(channel, peer);
  }

  /** Moves what is ready into `into`, in turn from each channel. */
  take(limit: ReceiveLimit, into: Incoming[], bytes: number): void {
    let used = bytes;
    for (const channel of this.#ready) {
      if (into.length >= limit.messages) return;
      used = channel.take(limit, into, used);
      this.#ready.delete(channel);
      if (channel.waiting > 0) {
        // Who has more to give comes last next time.
        this.#ready.add(channel);
        return;
      }
      const peer = this.#of(channel);
      if (peer === undefined) continue;
      this.#advance(peer);
      this.#forget(channel, peer);
    }
  }

  #of(channel: Channel): Peer | undefined {
    const peer = channel.peer === undefined ? undefined : this.#peers.get(channel.peer);
    return peer?.channels.has(channel) === true ? peer : undefined;
  }

  /** Goes on to the next channel that has frames, once the current one has no more. */
  #advance(peer: Peer): void {
    const [next] = peer.held;
    if (next === undefined || peer.current.waiting > 0) return;
    if (peer.current.ended) this.#switch(peer, next);
    else if (!peer.looking) void this.#look(peer, peer.current, next);
  }

  #switch(peer: Peer, next: Channel): void {
    const last = peer.current;
    peer.held.shift();
    this.#holding--;
    peer.current = next;
    this.#forget(last, peer);
    this.arrived(next);
  }

  /** Lets the event loop poll once, and goes on if the current channel has brought nothing. */
  async #look(peer: Peer, current: Channel, next: Channel): Promise<void> {
    peer.looking = true;
    const { received } = current;
    await turns(2);
    peer.looking = false;
    if (peer.current !== current || current.waiting > 0) return;
    if (current.received === received && !current.paused && peer.held[0] === next) this.#switch(peer, next);
    else this.#advance(peer);
  }

  #forget(channel: Channel, peer: Peer): void {
    if (!channel.ended || channel.waiting > 0 || peer.held.includes(channel)) return;
    peer.channels.delete(channel);
    if (peer.channels.size === 0 && channel.peer !== undefined) this.#peers.delete(channel.peer);
  }
}
