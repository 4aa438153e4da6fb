/** What a client has read from the store and not yet handed out, and how more is read. */
import { IpcError, isIpcError, quote } from '../errors.ts';
import { Message } from '../message/message.ts';
import type { Awaitable, Connection, Incoming, ReceiveLimit } from '../protocol/protocol.ts';
import type { Serializer } from '../serializers/serializer.ts';

/** What an inbox needs to know of its client. */
export interface InboxPort {
  readonly id: string;
  readonly serializer: Serializer;
  /** Bytes that one message may become when decoded. */
  readonly limit: number;
  readonly connection: Connection;
  rejected(error: IpcError): void;
}

/** Decoded messages in order, and the receipts of those that want to be acknowledged. */
export class Inbox {
  readonly #port: InboxPort;
  readonly #receipts = new Map<Message, unknown>();
  readonly #buffer: Message[] = [];
  #reading: Promise<number> | undefined;

  constructor(port: InboxPort) {
    this.#port = port;
  }

  /** Messages read and not yet handed out. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /** Messages handed out and not yet acknowledged. */
  get unacknowledged(): number {
    return this.#receipts.size;
  }

  /** Reads from the store, if nothing is buffered; what it reads leaves the buffer by `take` only, in order. */
  async fill(limit: ReceiveLimit): Promise<void> {
    // A batch of which nothing was a message is not the end: others may wait behind it.
    while (this.#buffer.length === 0 && (await this.#read(limit)) > 0);
  }

  /** The first buffered messages, all unless told otherwise. */
  take(messages: number = this.#buffer.length): Message[] {
    return this.#buffer.splice(0, messages);
  }

  /** Takes the receipts of messages, of all that are left if none is named. */
  receipts(messages: Iterable<Message> = this.#receipts.keys()): unknown[] {
    const receipts: unknown[] = [];
    for (const message of messages) {
      if (!this.#receipts.has(message)) continue;
      receipts.push(this.#receipts.get(message));
      this.#receipts.delete(message);
    }
    return receipts;
  }

  /** The messages that were handed out and not acknowledged. */
  outstanding(): Message[] {
    return [...this.#receipts.keys()];
  }

  /** Reads from the store into the buffer, and tells how much came; concurrent callers share one read. */
  #read(limit: ReceiveLimit): Awaitable<number> {
    if (this.#reading !== undefined) return this.#reading;
    const incoming = this.#port.connection.receive(limit);
    if (!(incoming instanceof Promise)) return this.#decode(incoming);
    this.#reading = incoming.then((items) => this.#decode(items)).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Returns how many came in, messages or not. */
  #decode(incoming: readonly Incoming[]): number {
    for (const item of incoming) {
      try {
        const message = this.#message(item);
        this.#buffer.push(message);
        if (item.receipt !== undefined) this.#receipts.set(message, item.receipt);
      } catch (error) {
        this.#port.rejected(this.#explain(error));
        this.#setAside(item);
      }
    }
    return incoming.length;
  }

  #message(item: Incoming): Message {
    const { serializer, limit } = this.#port;
    if ('bytes' in item) return Message.fromWire(serializer.deserialize(item.bytes, limit));
    return new Message({ ...item.message, content: serializer.deserialize(item.content, limit) });
  }

  /** What cannot be set aside has been reported all the same. */
  #setAside(item: Incoming): void {
    const failed = (error: unknown): void => this.#port.rejected(this.#explain(error));
    try {
      Promise.resolve(this.#port.connection.reject?.(item)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #explain(error: unknown): IpcError {
    const client = this.#port.id;
    const code = isIpcError(error) ? error.code : 'IPCM_MALFORMED_MESSAGE';
    const reason = error instanceof Error ? error.message : quote(error);
    return new IpcError(code, `a message to ${quote(client)} was dropped: ${reason}`, { cause: error, client });
  }
}
