/** What a store in memory consists of. */
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { Reaped, UnreadMessage } from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';

/** A message that waits. */
export interface Waiting {
  readonly bytes: Uint8Array;
  readonly head: UnreadMessage;
}

/** A client, connected or suspended. */
export interface MemoryClient {
  readonly identity: ProcessIdentity;
  /** True when it answers requests. */
  readonly service: boolean;
  /** See `PeerEntry`. */
  readonly since: number | undefined;
  state: 'active' | 'suspended';
  expiresAt: number | undefined;
  sealed: boolean;
  queue: Waiting[];
  /** How many at the head of the queue were put back: what is put back next comes after them, before all others. */
  putBack: number;
  /** Read with acknowledgement and not acknowledged yet. */
  readonly unacknowledged: Set<Waiting>;
  /** Wakes the client's reader. */
  readonly readers: Set<() => void>;
}

/** A store. */
export interface Memory {
  readonly clients: Map<string, MemoryClient>;
  readonly stats: Map<string, Stats>;
  readonly reaped: Reaped[];
  readonly watchers: Set<() => void>;
}

/** All stores of this process, by route. */
export const stores = new Map<string, Memory>();

/** Wakes from a task of its own: a hint may not run the reader inside the sender's call. */
export function hint(listeners: Set<() => void>): void {
  for (const wake of listeners) queueMicrotask(wake);
}

/** True when a suspended client's deadline has passed. */
export function expired(client: MemoryClient): boolean {
  return client.state === 'suspended' && client.expiresAt !== undefined && client.expiresAt * 1000 < Date.now();
}
