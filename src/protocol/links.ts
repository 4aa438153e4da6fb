/**
 * Connections between pairs of clients, where a protocol has them: who is connected with this client, and how to let go of
 * those that are not needed. Nothing here is needed to send or to receive: a send connects by itself.
 */
import type { Awaitable } from './awaitable.ts';

/** The connection with one peer. */
export interface LinkInfo {
  readonly peer: string;
  /** When it was made, milliseconds since the epoch. */
  readonly since: number;
  /** When bytes last went over it in either direction, milliseconds since the epoch. */
  readonly lastActivity: number;
  /** True when this client connected to the peer, false when the peer connected to it. */
  readonly initiatedByUs: boolean;
}

/** What a client can ask about its connections, and do with them. */
export interface Links {
  /** True while a message to the peer would go over a connection that is there already. */
  hasConnection(peer: string): boolean;
  /** The connections that are open, one for each peer, oldest first. */
  connections(): readonly LinkInfo[];
  /** Names of the peers that anybody can connect to; sorted. */
  listeningPeers(): Awaitable<readonly string[]>;
  /** True when there is such a peer and anybody can connect to it; false when it only connects to others. */
  peerIsListener(name: string): Awaitable<boolean>;
  /** Ends the connection with a peer, false where there is none. What is under way in either direction still arrives. */
  disconnectConnection(peer: string): boolean;
  /** When bytes last went to or from a peer, milliseconds since the epoch; undefined without a connection. */
  lastActivity(peer: string): number | undefined;
  /** Ends the connections over which nothing went for so many milliseconds; returns how many. */
  closeIdleConnections(idle: number): number;
}
