/** The connections of a client as the outside sees them. */
import type { LinkInfo, Links } from '../../protocol/links.ts';
import type { Member } from '../directory/member.ts';
import { listPeers } from '../directory/peers.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import type { Dialer } from './dial.ts';
import { isListening } from './listener.ts';
import type { Channel } from './channel.ts';
import type { Peers } from './peers.ts';

/** What the links of a client are made of. */
export interface LinkParts {
  readonly member: Member;
  readonly kind: EntryKind;
  readonly peers: Peers;
  readonly dialer: Dialer;
}

/** The links of one client. */
export class UnixLinks implements Links {
  readonly #parts: LinkParts;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  hasConnection(peer: string): boolean {
    return this.#parts.peers.sending(peer) !== undefined;
  }

  connections(): LinkInfo[] {
    const { peers } = this.#parts;
    const found: LinkInfo[] = [];
    for (const peer of peers.names()) {
      const channel = peers.sending(peer);
      if (channel === undefined) continue;
      const { since, initiated } = channel;
      found.push({ peer, since, lastActivity: this.lastActivity(peer) ?? since, initiatedByUs: initiated });
    }
    return found.sort((a, b) => a.since - b.since);
  }

  listeningPeers(): string[] {
    const { member, kind } = this.#parts;
    const others = listPeers(member.place, kind).filter(
      ({ name, state }) => name !== member.name && state === 'active',
    );
    return others
      .map(({ name }) => name)
      .filter((name) => this.peerIsListener(name))
      .sort();
  }

  peerIsListener(name: string): boolean {
    return isListening(this.#parts.dialer.path(name));
  }

  disconnectConnection(peer: string): boolean {
    const open = this.#open(peer);
    for (const channel of open) channel.close();
    return open.length > 0;
  }

  lastActivity(peer: string): number | undefined {
    const times = this.#open(peer).map((channel) => channel.lastActivity);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  closeIdleConnections(idle: number): number {
    if (typeof idle !== 'number' || !(idle >= 0)) {
      throw new TypeError(
        `closeIdleConnections(idle): idle is a number of milliseconds from 0 on, not ${String(idle)}`,
      );
    }
    const { peers } = this.#parts;
    const before = Date.now() - idle;
    let closed = 0;
    for (const peer of peers.names()) {
      const open = this.#open(peer);
      const busy = open.some((channel) => channel.lastActivity > before || channel.sending || channel.waiting > 0);
      if (open.length === 0 || busy) continue;
      for (const channel of open) channel.close();
      closed++;
    }
    return closed;
  }

  #open(peer: string): Channel[] {
    return this.#parts.peers.channels(peer).filter((channel) => channel.usable);
  }
}
