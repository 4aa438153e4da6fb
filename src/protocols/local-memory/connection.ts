/** One client's way in and out of a store in memory. */
import { IpcError } from '../../errors.ts';
import type { Connection, Delivery, Incoming, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';
import type { Stats } from '../../protocol/stats.ts';
import type { Serializer } from '../../serializers/serializer.ts';
import { expired, hint, type Memory, type MemoryClient, type Waiting } from './memory.ts';

/** What a connection is made of. */
export interface ConnectionParts {
  readonly name: string;
  readonly client: MemoryClient;
  readonly acknowledge: boolean;
  readonly serializer: Serializer;
  /** The store's memory; throws when the store has been removed. */
  memory(): Memory;
}

function waitingOf({ message, bytes }: Outgoing): Waiting {
  return { bytes, head: { id: message.id, from: message.from, to: message.to, stamp: message.stamp } };
}

/** A connection of LocalMemory. */
export class LocalMemoryConnection implements Connection {
  readonly #parts: ConnectionParts;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  deliver(peer: string, batch: readonly Outgoing[]): Delivery {
    const client = this.#parts.memory().clients.get(peer);
    if (client === undefined || client.sealed || expired(client)) {
      const known = client !== undefined;
      throw new IpcError(
        known ? 'IPCM_PEER_GONE' : 'IPCM_PEER_UNKNOWN',
        `sendMessage from "${this.#parts.name}": ${known ? `"${peer}" has left the bus` : `nobody called "${peer}" is on the bus`}`,
        { client: this.#parts.name, peer, protocol: 'LocalMemory' },
      );
    }
    for (const outgoing of batch) client.queue.push(waitingOf(outgoing));
    hint(client.readers);
    return { taken: batch.length };
  }

  receive(limit: ReceiveLimit): Incoming[] {
    this.#parts.memory();
    const { client, acknowledge } = this.#parts;
    let taken = 0;
    let bytes = 0;
    for (const waiting of client.queue) {
      if (taken > 0 && (taken >= limit.messages || bytes + waiting.bytes.length > limit.bytes)) break;
      bytes += waiting.bytes.length;
      taken++;
    }
    client.putBack = Math.max(0, client.putBack - taken);
    return client.queue.splice(0, taken).map((waiting) => {
      if (!acknowledge) return { bytes: waiting.bytes };
      client.unacknowledged.add(waiting);
      return { bytes: waiting.bytes, receipt: waiting };
    });
  }

  ready(): boolean {
    this.#parts.memory();
    return this.#parts.client.queue.length > 0;
  }

  pending(): boolean {
    return false;
  }

  watchInbox(wake: () => void): () => void {
    const { readers } = this.#parts.client;
    readers.add(wake);
    return () => readers.delete(wake);
  }

  acknowledge(receipts: readonly unknown[]): void {
    for (const receipt of receipts) this.#parts.client.unacknowledged.delete(receipt as Waiting);
  }

  release(receipts: readonly unknown[]): void {
    const { client } = this.#parts;
    this.#putBack((receipts as readonly Waiting[]).filter((waiting) => client.unacknowledged.delete(waiting)));
  }

  requeue(messages: readonly Outgoing[]): void {
    this.#putBack(messages.map(waitingOf));
  }

  #putBack(messages: readonly Waiting[]): void {
    const { client } = this.#parts;
    client.queue.splice(client.putBack, 0, ...messages);
    client.putBack += messages.length;
  }

  writeStats(stats: Stats): void {
    // A snapshot, which later counting does not change.
    this.#parts.memory().stats.set(this.#parts.name, { sent: new Map(stats.sent), read: new Map(stats.read) });
  }

  readStats(): Stats | undefined {
    return this.#parts.memory().stats.get(this.#parts.name);
  }

  seal(): void {
    this.#parts.client.sealed = true;
  }

  disconnect(): void {
    const { clients, watchers } = this.#parts.memory();
    if (clients.get(this.#parts.name) === this.#parts.client) clients.delete(this.#parts.name);
    hint(watchers);
  }

  suspend(expiresAt: number | undefined): void {
    const { client } = this.#parts;
    this.release([...client.unacknowledged]);
    client.state = 'suspended';
    client.expiresAt = expiresAt;
    hint(this.#parts.memory().watchers);
  }

  closeSync(stats?: Stats): void {
    try {
      if (stats !== undefined) this.writeStats(stats);
    } catch {
      // The store is gone, and with it who would look. The rest of the memory goes with the process.
    }
  }
}
