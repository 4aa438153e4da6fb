/** A store in this process's memory, seen from outside. */
import { IpcError } from '../../errors.ts';
import { monotonic } from '../../liveness/monotonic.ts';
import type { Connection, ConnectRequest, PeerEntry, Reaped, Store, UnreadMessage } from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';
import type { Serializer } from '../../serializers/serializer.ts';
import { LocalMemoryConnection } from './connection.ts';
import { expired, hint, stores, type Memory, type MemoryClient } from './memory.ts';

function entryOf(name: string, client: MemoryClient): PeerEntry {
  const state = expired(client) ? 'dead' : client.sealed ? 'leaving' : client.state;
  return {
    name,
    state,
    identity: client.state === 'active' ? client.identity : undefined,
    expiresAt: client.expiresAt,
    ...(client.service && client.state === 'active' ? { service: true } : {}),
    ...(client.since !== undefined && client.state === 'active' ? { since: client.since } : {}),
  };
}

/** A store of LocalMemory. */
export class LocalMemoryStore implements Store {
  readonly route: string;
  readonly #memory: Memory;
  readonly #serializer: Serializer;

  constructor(route: string, memory: Memory, serializer: Serializer) {
    this.route = route;
    this.#memory = memory;
    this.#serializer = serializer;
  }

  #present(): Memory {
    if (stores.get(this.route) === this.#memory) return this.#memory;
    throw new IpcError('IPCM_STORE_MISSING', `LocalMemory: the store "${this.route}" has been removed`, {
      route: this.route,
    });
  }

  peers(): PeerEntry[] {
    return [...this.#present().clients].map(([name, client]) => entryOf(name, client));
  }

  peer(name: string): PeerEntry | undefined {
    const client = this.#present().clients.get(name);
    return client === undefined ? undefined : entryOf(name, client);
  }

  stats(): ReadonlyMap<string, Stats> {
    return new Map(this.#present().stats);
  }

  waiting(name: string): number {
    const client = this.#present().clients.get(name);
    return client === undefined ? 0 : client.queue.length + client.unacknowledged.size;
  }

  unread(name: string, limit: number): UnreadMessage[] {
    const client = this.#present().clients.get(name);
    if (client === undefined) return [];
    return [...client.unacknowledged, ...client.queue].slice(0, limit).map(({ head }) => head);
  }

  reap(): Reaped[] {
    const memory = this.#present();
    const gone: Reaped[] = [];
    for (const [name, client] of memory.clients) {
      if (!expired(client)) continue;
      memory.clients.delete(name);
      memory.stats.delete(name);
      gone.push({ name, pid: client.identity.pid, lost: client.queue.length });
    }
    memory.reaped.push(...gone);
    if (gone.length > 0) hint(memory.watchers);
    return gone;
  }

  reaped(): Reaped[] {
    return [...this.#memory.reaped];
  }

  watchPeers(wake: () => void): () => void {
    this.#memory.watchers.add(wake);
    return () => this.#memory.watchers.delete(wake);
  }

  connect({ name, mode, identity, acknowledge, service, report }: ConnectRequest): Connection {
    const memory = this.#present();
    for (const peer of this.reap()) report.reaped(peer);
    const held = memory.clients.get(name);
    if (mode === 'connect' && held !== undefined) throw taken(name, held);
    if (mode === 'reconnect' && held === undefined) {
      throw new IpcError('IPCM_NO_SUCH_CLIENT', `reconnect: nobody suspended under the name "${name}"; use connect`, {
        client: name,
      });
    }
    if (held?.state === 'active') throw taken(name, held);
    const client: MemoryClient = {
      identity,
      service: service === true,
      since: held === undefined ? monotonic() : undefined,
      state: 'active',
      expiresAt: undefined,
      sealed: false,
      queue: held?.queue ?? [],
      putBack: held?.putBack ?? 0,
      unacknowledged: new Set(),
      readers: new Set(),
    };
    memory.clients.set(name, client);
    hint(memory.watchers);
    return new LocalMemoryConnection({
      name,
      client,
      acknowledge,
      serializer: this.#serializer,
      memory: () => this.#present(),
    });
  }

  remove(): void {
    this.removeSync();
  }

  removeSync(): boolean {
    if (stores.get(this.route) !== this.#memory) return true;
    stores.delete(this.route);
    for (const client of this.#memory.clients.values()) hint(client.readers);
    hint(this.#memory.watchers);
    return true;
  }

  close(): void {
    // Holds nothing but memory.
  }
}

function taken(name: string, { state, identity }: MemoryClient): IpcError {
  const who =
    state === 'active'
      ? `a connected client of this process (pid ${identity.pid}) has it`
      : 'it is suspended; use reconnect';
  return new IpcError('IPCM_NAME_TAKEN', `connect: the name "${name}" is taken: ${who}`, {
    client: name,
    pid: identity.pid,
  });
}
