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
  /** In the order in which they came, also after a failure: they are put back in it. */
  readonly #receipts = new Map<Message, unknown>();
  /** Those whose receipts are with the store at the moment. */
  readonly #underway = new Set<Message>();
  /** Those not handed out begin at `#head`. */
  #buffer: Message[] = [];
  #head = 0;
  #reading: Promise<number> | undefined;

  constructor(port: InboxPort) {
    this.#port = port;
  }

  /** Messages read and not yet handed out. */
  get buffered(): number {
    return this.#buffer.length - this.#head;
  }

  /** Messages handed out and not yet acknowledged. */
  get unacknowledged(): number {
    return this.#receipts.size - this.#underway.size;
  }

  /** Reads from the store, if nothing is buffered; what it reads leaves the buffer by `take` only, in order. */
  fill(limit: ReceiveLimit): Awaitable<void> {
    // A read of somebody else may have begun before what is asked for now was there.
    if (this.#reading !== undefined && this.buffered === 0) return this.#reading.then(() => this.#fill(limit));
    return this.#fill(limit);
  }

  #fill(limit: ReceiveLimit): Awaitable<void> {
    // A batch of which nothing was a message is not the end: others may wait behind it.
    while (this.buffered === 0) {
      const read = this.#read(limit);
      if (read instanceof Promise) return read.then((came) => (came > 0 ? this.#fill(limit) : undefined));
      if (read === 0) return;
    }
  }

  /** The first buffered message. */
  shift(): Message | undefined {
    const message = this.#buffer[this.#head];
    if (message === undefined) return undefined;
    if (++this.#head === this.#buffer.length) {
      this.#buffer = [];
      this.#head = 0;
    }
    return message;
  }

  /** The first buffered messages, all unless told otherwise. */
  take(messages: number = this.buffered): Message[] {
    const taken = this.#buffer.slice(this.#head, this.#head + messages);
    this.#buffer = this.#buffer.slice(this.#head + messages);
    this.#head = 0;
    return taken;
  }

  /** Takes back what {@link take} has just given. */
  untake(messages: readonly Message[]): void {
    this.#buffer = [...messages, ...this.#buffer.slice(this.#head)];
    this.#head = 0;
  }

  /** Gives the receipts of messages to `use`, and keeps them where that fails, so that it can be tried again. */
  async withReceipts(
    messages: readonly Message[],
    use: (receipts: readonly unknown[]) => Awaitable<void>,
  ): Promise<void> {
    const held: Message[] = [];
    const receipts: unknown[] = [];
    for (const message of messages) {
      if (!this.#receipts.has(message) || this.#underway.has(message)) continue;
      held.push(message);
      receipts.push(this.#receipts.get(message));
      this.#underway.add(message);
    }
    if (held.length === 0) return;
    try {
      await use(receipts);
      for (const message of held) this.#receipts.delete(message);
    } finally {
      for (const message of held) this.#underway.delete(message);
    }
  }

  /** The messages that were handed out and not acknowledged. */
  outstanding(): Message[] {
    return [...this.#receipts.keys()].filter((message) => !this.#underway.has(message));
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
    if ('bytes' in item) {
      return (
        serializer.deserializeMessage?.(item.bytes, limit) ??
        Message.fromWire(serializer.deserialize(item.bytes, limit))
      );
    }
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
