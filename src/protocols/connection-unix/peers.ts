/**
 * Who is connected over which channels, which of them we send over, and in which order their frames are received.
 *
 * A pair of clients keeps one connection. One that a peer opens replaces the older ones, which end gracefully: a peer opens one
 * only where it knows of none that it could use. So where ours to it is open as well, either it has ended that, and the end is
 * with us once the event loop has polled; or it did not know of it yet, since both connected at once. Then that of the
 * client whose name comes first stays. This client ends the other one; its peer ends none, and goes on over its own until it
 * sees that end. For a peer that knows nothing of names, as the reference, ends its own instead once it hears of ours.
 *
 * A sender goes on from one channel to the next and never back, and all it wrote to the one was with the kernel before
 * it wrote to the next. So frames of a channel are held until those that its peer used before have ended, or a whole poll of
 * the event loop has brought nothing from them.
 */
import type { Incoming, ReceiveLimit } from '../../protocol/protocol.ts';
import type { Channel } from './channel.ts';
import { turns } from './turns.ts';

const none: readonly Channel[] = [];

interface Peer {
  /** In the order in which it has used them. */
  channels: Channel[];
  /** The one that we send over. */
  sending: Channel | undefined;
  /** What has to be found out before it is known in which order it has used them. */
  deciding: number;
  looking: boolean;
}

/** The connected peers of a client. */
export class Peers {
  readonly #self: string;
  readonly #wake: () => void;
  readonly #peers = new Map<string, Peer>();
  /** In the order in which they are read next. */
  readonly #ready = new Set<Channel>();
  /** Those with frames whose turn is not yet. */
  readonly #held = new Set<Channel>();

  /** `self` is the client's own name; `wake` is called when there is something to take. */
  constructor(self: string, wake: () => void) {
    this.#self = self;
    this.#wake = wake;
  }

  /** True when there is something to take. */
  get ready(): boolean {
    return this.#ready.size > 0;
  }

  /** True while frames are held back that will be ready soon. */
  get holding(): boolean {
    return this.#held.size > 0;
  }

  /** Names of those who are connected. */
  names(): string[] {
    return [...this.#peers.keys()];
  }

  /** The channel to send over: always the same while it can be used and none replaces it, else the last that can. */
  sending(name: string): Channel | undefined {
    const peer = this.#peers.get(name);
    if (peer === undefined || peer.sending?.usable === true) return peer?.sending;
    const mayAnswer = !peer.channels.some(isUnknown);
    peer.sending = peer.channels.findLast((channel) => channel.usable && (channel.initiated || mayAnswer));
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
      peer = { channels: [], sending: undefined, deciding: 0, looking: false };
      this.#peers.set(name, peer);
    }
    channel.peer = name;
    const ours = peer.channels.findIndex(isUnknown);
    if (channel.initiated) {
      peer.channels.push(channel);
      peer.sending = channel;
    } else if (ours < 0) {
      peer.channels.push(channel);
      replaceOthers(peer, channel);
    } else {
      // What came over ours was sent after what came over its own, if it did not know of ours at first.
      peer.channels.splice(ours, 0, channel);
      void this.#decide(peer, channel);
    }
    if (channel.waiting > 0) this.arrived(channel);
    if (channel.ended) this.ended(channel);
  }

  /** A channel has frames. */
  arrived(channel: Channel): void {
    const peer = this.#of(channel);
    if (peer === undefined || this.#ready.has(channel)) return;
    this.#held.add(channel);
    if (channel.initiated && channel.answered === 'not yet') void this.#answered(peer, channel);
    this.#advance(peer);
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
    return peer?.channels.includes(channel) === true ? peer : undefined;
  }

  /** The first frames over a channel of ours: what the peer sent before over one that it had opened itself comes first. */
  async #answered(peer: Peer, channel: Channel): Promise<void> {
    channel.answered = 'just now';
    peer.deciding++;
    // A poll to accept it, one to read who it is, and as long as others who connected before it are waited for.
    await turns(5);
    peer.deciding--;
    channel.answered = 'yes';
    this.#advance(peer);
  }

  /** Finds out whether a channel was opened while ours was, or since the peer had ended ours. */
  async #decide(peer: Peer, channel: Channel): Promise<void> {
    peer.deciding++;
    await turns(2);
    peer.deciding--;
    const at = peer.channels.indexOf(channel);
    if (at >= 0) {
      const behind = peer.channels.splice(at);
      const ours = behind.filter((one) => one.initiated);
      const ended = ours.filter((one) => one.ended);
      peer.channels.push(...ended, ...behind.filter((one) => !ended.includes(one)));
      if (ours.some((one) => one.usable)) this.#keepOne(peer, channel);
      else if (peer.channels.at(-1) === channel) replaceOthers(peer, channel);
    }
    this.#advance(peer);
  }

  /** Both have connected at once. */
  #keepOne(peer: Peer, channel: Channel): void {
    for (const one of peer.channels) if (!one.initiated && one !== channel) one.close();
    if (channel.peer !== undefined && this.#self < channel.peer) channel.close();
  }

  /** Makes the next channel that has frames ready, once those before it have no more. */
  #advance(peer: Peer): void {
    const { channels } = peer;
    const next = channels.findIndex((channel) => channel.waiting > 0);
    const channel = channels[next];
    if (channel === undefined || peer.deciding > 0 || this.#ready.has(channel)) return;
    const before = next === 0 ? none : channels.slice(0, next).filter((one) => !one.ended);
    if (before.length > 0) {
      if (!peer.looking) void this.#look(peer, channel, before);
      return;
    }
    this.#held.delete(channel);
    this.#ready.add(channel);
    this.#wake();
  }

  /** Lets the event loop poll once, and goes on to a channel if those before it have brought nothing. */
  async #look(peer: Peer, next: Channel, before: readonly Channel[]): Promise<void> {
    peer.looking = true;
    const received = before.map((channel) => channel.received);
    await turns(2);
    peer.looking = false;
    const isQuiet = before.every((one, n) => one.waiting === 0 && one.received === received[n]);
    if (isQuiet && peer.deciding === 0) peer.channels = [next, ...peer.channels.filter((one) => one !== next)];
    this.#advance(peer);
  }

  #forget(channel: Channel, peer: Peer): void {
    if (!channel.ended || channel.waiting > 0) return;
    this.#held.delete(channel);
    peer.channels = peer.channels.filter((one) => one !== channel);
    if (peer.channels.length === 0 && channel.peer !== undefined) this.#peers.delete(channel.peer);
  }
}

/**
 * True for a channel of ours that its peer may not know of yet. What we wrote to it would come after what we wrote to one of the
 * peer's own then; another one of ours comes after it.
 */
function isUnknown(channel: Channel): boolean {
  return channel.initiated && !channel.ended && channel.answered !== 'yes';
}

/** Goes on over a channel that the peer has opened, and ends all others. */
function replaceOthers(peer: Peer, channel: Channel): void {
  if (channel.usable && !peer.channels.some(isUnknown)) peer.sending = channel;
  for (const one of peer.channels) if (one !== channel) one.close();
}
