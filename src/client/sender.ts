/** The sending half of a client: serializes, checks the limits, keeps an outbox per peer and counts what went out. */
import { sending } from '../diagnostics/channels.ts';
import { IpcError, quote } from '../errors.ts';
import { checkContent } from '../message/content.ts';
import type { Message } from '../message/message.ts';
import { nextMicros } from '../message/stamp.ts';
import type { Connection, Protocol } from '../protocol/protocol.ts';
import { count, type Stats } from '../protocol/stats.ts';
import type { MessageWriter, Serializer } from '../serializers/serializer.ts';
import { waitFor } from './wait-for.ts';
import type { WaitOptions } from './arrival.ts';
import type { ResolvedClientOptions } from './options.ts';
import { Outbox, type OutboxPort } from './outbox.ts';
import { MadePacket, WrittenPacket, type Packet } from './packet.ts';
import { largestInSlab, slabFor } from './slab.ts';

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

/** A message without these is none for its receiver. Throws `IPCM_INVALID_CONTENT`. */
function checkHead(call: string, { id, stamp }: Message): void {
  const isText = typeof id === 'string' && id !== '';
  if (isText && Number.isFinite(stamp)) return;
  const what = isText ? `stamp is a number of seconds, not ${quote(stamp)}` : `id is a text, not ${quote(id)}`;
  throw new IpcError('IPCM_INVALID_CONTENT', `${call}: the message's ${what}; leave it out, and it is filled in`);
}

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
      eager: connection.headroom !== undefined,
      deliver: (to, batch) => connection.deliver(to, batch),
      sent: (to, messages) => count(stats.sent, to, messages),
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

  /**
   * The same of a message with nothing but content, where that can be written at once to where the protocol takes it from, and
   * no message need be made; undefined where it cannot.
   */
  sendContent(to: string, content: unknown): Promise<void> | undefined {
    const outbox = this.#outbox(to);
    const packet = this.#packetFor(outbox, content);
    return packet && outbox.send(packet);
  }

  /** The same for who is told by functions, perhaps within this call; false where it cannot. */
  post(to: string, content: unknown, sent: () => void, failed: (error: unknown) => void): boolean {
    const outbox = this.#outbox(to);
    const packet = this.#packetFor(outbox, content);
    if (packet === undefined) return false;
    packet.resolve = sent;
    packet.reject = failed;
    void outbox.send(packet);
    return true;
  }

  /** Takes the message unless its outbox is full; then undefined, and nothing was queued. */
  offer(message: Message): Promise<void> | undefined {
    const outbox = this.#outbox(message.to);
    const outgoing = this.encode('trySendMessage', message);
    const room = this.#parts.options.highWaterMark - outbox.bytes;
    return outbox.bytes > 0 && outgoing.size > room ? undefined : outbox.send(outgoing);
  }

  /** Resolves to true when all outboxes are empty, or that of a peer, to false at the timeout. */
  drain({ peer, ...options }: WaitOptions & { readonly peer?: string | undefined }): Promise<boolean> {
    const watch = (wake: () => void): (() => void) => {
      this.#idle.add(wake);
      return () => this.#idle.delete(wake);
    };
    const left = (): number => (peer === undefined ? this.pending : (this.#outboxes.get(peer)?.length ?? 0));
    return waitFor(() => left() === 0, watch, options);
  }

  /** Hands over nothing more; resolves when it is known of everything on its way whether the store has it. */
  async settle(): Promise<void> {
    await Promise.all([...this.#outboxes.values()].map((outbox) => outbox.settle()));
  }

  /** Rejects what waits for each peer; returns the peers and how many messages each did not get. */
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
  encode(call: string, message: Message): Packet {
    checkContent(message.content);
    checkHead(call, message);
    const { protocol, serializer } = this.#parts;
    const bytes = serializer.serialize(protocol.capabilities.unit === 'message' ? message : message.content);
    if (bytes.length > this.#limit) throw this.#tooLarge(call, message.to, bytes.length);
    return new MadePacket(message, bytes);
  }

  #packetFor({ peer, writer }: Outbox, content: unknown): Packet | undefined {
    if (sending.hasSubscribers || writer === undefined) return undefined;
    checkContent(content);
    return this.#write('sendMessage', peer, content, writer);
  }

  /** Writes a message without making one. Throws the same. */
  #write(call: string, to: string, content: unknown, writer: MessageWriter): Packet {
    const { serializer, connection } = this.#parts;
    const headroom = connection.headroom ?? 0;
    const micros = nextMicros();
    for (let room = writer.begin(content); ;) {
      const slab = room + headroom <= largestInSlab ? slabFor(room + headroom) : undefined;
      const buffer = slab?.buffer ?? Buffer.allocUnsafeSlow(room + headroom);
      const at = (slab?.place(0) ?? 0) + headroom;
      const end = writer.finish(micros, buffer, at);
      if (end < 0) {
        room = -end;
        continue;
      }
      const size = end - at;
      if (size > this.#limit) throw this.#tooLarge(call, to, size);
      slab?.keep(end);
      return new WrittenPacket(serializer, buffer, at, size, slab);
    }
  }

  get #limit(): number {
    const { protocol, options } = this.#parts;
    return Math.min(protocol.capabilities.largestMessage, options.maxMessageBytes);
  }

  #tooLarge(call: string, to: string, size: number): IpcError {
    const { id, protocol, options } = this.#parts;
    const remedy =
      protocol.capabilities.largestMessage < options.maxMessageBytes
        ? 'use ConnectionUnix, or send it in parts'
        : 'raise maxMessageBytes on both sides, or send it in parts';
    return new IpcError(
      'IPCM_MESSAGE_TOO_LARGE',
      `${call} from "${id}" to ${quote(to)}: ${size} bytes, and ${protocol.name} takes ${this.#limit} here; ${remedy}`,
      { client: id, peer: to, protocol: protocol.name },
    );
  }

  #outbox(peer: string): Outbox {
    let outbox = this.#outboxes.get(peer);
    if (outbox === undefined) {
      outbox = new Outbox(peer, this.#port, this.#writer(peer));
      this.#outboxes.set(peer, outbox);
    }
    return outbox;
  }

  #writer(peer: string): MessageWriter | undefined {
    const { id, connection, serializer } = this.#parts;
    return connection.headroom === undefined ? undefined : serializer.messageWriter?.(id, peer);
  }
}
