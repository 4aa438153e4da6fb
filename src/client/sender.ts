/** The sending half of a client: serializes, checks the limits, keeps an outbox per peer and counts what went out. */
import { sending } from '../diagnostics/channels.ts';
import { IpcError, quote } from '../errors.ts';
import { checkContent } from '../message/content.ts';
import type { Message } from '../message/message.ts';
import type { Connection, Outgoing, Protocol } from '../protocol/protocol.ts';
import { count, type Stats } from '../protocol/stats.ts';
import type { Serializer } from '../serializers/serializer.ts';
import { waitFor } from './wait-for.ts';
import type { WaitOptions } from './arrival.ts';
import type { ResolvedClientOptions } from './options.ts';
import { Outbox, type OutboxPort } from './outbox.ts';

/** What a sender is made of. */
export interface SenderParts {
  readonly id: string;
  readonly protocol: Protocol;
  readonly serializer: Serializer;
  readonly options: ResolvedClientOptions;
  readonly connection: Connection;
  readonly stats: Stats;
}

/** Idle outboxes kept for the next send; a service may answer thousands of short-lived peers. */
const kept = 256;

/** The outboxes of a client. */
export class Sender {
  readonly #parts: SenderParts;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #idle = new Set<() => void>();
  readonly #port: OutboxPort;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    const { id, connection, options, stats } = parts;
    this.#port = {
      client: id,
      limit: options.outboxLimit,
      deliver: (to, batch) => connection.deliver(to, batch),
      sent: (to) => count(stats.sent, to, 1),
      idle: (outbox) => {
        if (this.#outboxes.size > kept) this.#outboxes.delete(outbox.peer);
        for (const wake of this.#idle) wake();
      },
    };
  }

  /** Messages that wait in all outboxes. */
  get pending(): number {
    let sum = 0;
    for (const outbox of this.#outboxes.values()) sum += outbox.length;
    return sum;
  }

  /** Resolves when the store or the kernel has the message. */
  send(message: Message): Promise<void> {
    if (!sending.hasSubscribers) return this.#outbox(message.to).send(this.encode('sendMessage', message));
    const trace = { client: this.#parts.id, peer: message.to, message };
    return sending.tracePromise(() => this.#outbox(message.to).send(this.encode('sendMessage', message)), trace);
  }

  /** Takes the message unless its outbox is full; then undefined, and nothing was queued. */
  offer(message: Message): Promise<void> | undefined {
    const outbox = this.#outbox(message.to);
    const outgoing = this.encode('trySendMessage', message);
    const room = this.#parts.options.highWaterMark - outbox.bytes;
    return outbox.bytes > 0 && outgoing.bytes.length > room ? undefined : outbox.send(outgoing);
  }

  /** Resolves to true when all outboxes are empty, to false at the timeout. */
  drain(options: WaitOptions): Promise<boolean> {
    const watch = (wake: () => void): (() => void) => {
      this.#idle.add(wake);
      return () => this.#idle.delete(wake);
    };
    return waitFor(() => this.pending === 0, watch, options);
  }

  /** Rejects what waits for each peer; resolves to the peers and how many messages each did not get. */
  abandon(errorFor: (peer: string, messages: number) => IpcError): Map<string, number> {
    const left = new Map<string, number>();
    for (const outbox of this.#outboxes.values()) {
      if (outbox.length === 0) continue;
      left.set(outbox.peer, outbox.length);
      outbox.close(errorFor(outbox.peer, outbox.length));
    }
    return left;
  }

  /** The message in the form that the protocol takes. Throws `IPCM_INVALID_CONTENT`, `IPCM_MESSAGE_TOO_LARGE`. */
  encode(call: string, message: Message): Outgoing {
    checkContent(message.content);
    const { id, protocol, serializer, options } = this.#parts;
    const { unit, largestMessage } = protocol.capabilities;
    const bytes = serializer.serialize(unit === 'message' ? message : message.content);
    const limit = Math.min(largestMessage, options.maxMessageBytes);
    if (bytes.length <= limit) return { message, bytes };
    const remedy =
      largestMessage < options.maxMessageBytes
        ? 'use ConnectionUnix, or send it in parts'
        : 'raise maxMessageBytes on both sides, or send it in parts';
    throw new IpcError(
      'IPCM_MESSAGE_TOO_LARGE',
      `${call} from "${id}" to ${quote(message.to)}: ${bytes.length} bytes, and ${protocol.name} takes ${limit} here; ${remedy}`,
      { client: id, peer: message.to, protocol: protocol.name },
    );
  }

  #outbox(peer: string): Outbox {
    let outbox = this.#outboxes.get(peer);
    if (outbox === undefined) {
      outbox = new Outbox(peer, this.#port);
      this.#outboxes.set(peer, outbox);
    }
    return outbox;
  }
}
