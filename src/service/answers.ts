/**
 * Where the answers to a handle's requests come in.
 *
 * A handle outside a service has a client of its own, which is read while somebody waits: while nothing is open and nobody
 * polls nothing is read, and the process is not kept alive. What comes in besides answers is kept for `messages`. Inside a
 * service it is the service that reads, and that deals with everything else.
 */
import { deadlineOf, type WaitOptions } from '../client/arrival.ts';
import type { Client } from '../client/client.ts';
import { IpcError } from '../errors.ts';
import { deferred } from '../launch/deferred.ts';
import type { Message } from '../message/message.ts';
import { giveHandleName } from './handle-name.ts';
import { Requests } from './requests.ts';
import { readContent } from './wire.ts';

/** A source of answers. */
export interface Answers {
  readonly client: Client;
  readonly requests: Requests;
  /** Messages that are no answers, each once. */
  messages(): Promise<Message[]>;
  /** See `ServiceHandle.poll`. */
  poll(options: WaitOptions): Promise<boolean>;
  /** Reads from now on whether somebody waits or not, and calls when the client is told to end, or nothing can be read. */
  listen(over: () => void): void;
  /** No more answers are wanted; what is open ends in `error`. */
  close(error: IpcError): Promise<void>;
}

/** Why the reader stops: nobody waits. Made once, since an abort without a reason makes an error with a stack. */
const enough = new Error('nobody waits for an answer');

/** Answers that come to a client of the handle's own. */
export class OwnAnswers implements Answers {
  readonly client: Client;
  readonly requests: Requests;
  #kept: Message[] = [];
  /** Messages that were no answers, so far. */
  #others = 0;
  /** Who waits for something to come in. */
  readonly #pollers = new Set<News>();
  #reading: Promise<void> | undefined;
  #stopReading: AbortController | undefined;
  #dispatching = false;
  /** Who is told of the end. */
  #over: (() => void) | undefined;

  constructor(client: Client) {
    this.client = client;
    this.requests = new Requests({
      client,
      busy: () => this.#arrange(),
      catchUp: () => this.#catchUp(),
      threw: uncaught,
    });
    this.requests.watch(() => this.#tell());
  }

  async messages(): Promise<Message[]> {
    if (!this.client.disconnected) await this.#catchUp();
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  async poll(options: WaitOptions): Promise<boolean> {
    const [others, settled] = [this.#others, this.requests.settled];
    const changed = (): boolean => this.#others !== others || this.requests.settled !== settled;
    const news = new News(options);
    await this.#catchUp();
    if (changed()) return true;
    this.#pollers.add(news);
    this.#arrange();
    try {
      await news.come();
      return changed();
    } finally {
      this.#pollers.delete(news);
      this.#arrange();
    }
  }

  listen(over: () => void): void {
    this.#over = over;
    this.#arrange();
  }

  async close(error: IpcError): Promise<void> {
    this.#over = undefined;
    this.requests.close(error);
    for (const news of this.#pollers) news.fail(error);
    this.#pollers.clear();
    this.#arrange();
    await this.#reading;
    // Answers that nobody waits for any more are nobody's loss.
    await this.client.disconnect(() => undefined);
    giveHandleName(this.client.id);
  }

  get #wanted(): boolean {
    return this.requests.open > 0 || this.#pollers.size > 0 || this.#over !== undefined;
  }

  /** One reader for all who wait: of two, one would take what the other waits for. */
  #arrange(): void {
    if (this.#wanted) this.#reading ??= this.#readWhileWanted();
    // While it deals with what it has read it looks by itself; nothing costs as much here as an abort.
    else if (!this.#dispatching) this.#stopReading?.abort(enough);
  }

  async #readWhileWanted(): Promise<void> {
    // The requests of one tick, and the one that made this necessary, are sent first.
    await Promise.resolve();
    try {
      while (this.#wanted) {
        this.#stopReading ??= new AbortController();
        const messages = await this.client.getMessages({ signal: this.#stopReading.signal });
        this.#dispatching = true;
        try {
          this.#dispatch(messages);
        } finally {
          this.#dispatching = false;
        }
      }
    } catch (error) {
      if (error !== enough) this.#failed(error);
    } finally {
      if (this.#stopReading?.signal.aborted === true) this.#stopReading = undefined;
      this.#reading = undefined;
      // Aborted because nothing was open, and something has come to be open since.
      if (this.#wanted && !this.client.disconnected) this.#reading = this.#readWhileWanted();
    }
  }

  /** The store is gone, or the client was disconnected behind our back: nothing will be answered. */
  #failed(cause: unknown): void {
    const error = new IpcError('IPCM_NOT_CONNECTED', 'the answers cannot be read any more', { cause });
    for (const news of this.#pollers) news.fail(error);
    this.#pollers.clear();
    this.requests.fail(error);
    const over = this.#over;
    this.#over = undefined;
    over?.();
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const messages = await this.client.getMessages();
      if (messages.length === 0) return;
      this.#dispatch(messages);
    }
  }

  #dispatch(messages: readonly Message[]): void {
    for (const message of messages) {
      const meaning = readContent(message.content);
      if (meaning?.kind === 'response') {
        // A late answer is nobody's.
        this.requests.answered(meaning.id, message.from, meaning.outcome);
        continue;
      }
      if (message.isTerminate) this.#over?.();
      // Who listens for the end asks for no messages.
      if (this.#over === undefined) this.#kept.push(message);
      this.#others++;
      this.#tell();
    }
  }

  #tell(): void {
    for (const news of this.#pollers) news.tell();
  }
}

/** What a callback throws is its owner's, as if an event had called it. */
function uncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Answers that come to a service, which reads by itself. */
export class SharedAnswers implements Answers {
  readonly client: Client;
  readonly requests: Requests;

  constructor(client: Client, requests: Requests) {
    this.client = client;
    this.requests = requests;
  }

  /** What is no answer is the service's: its callbacks get it. */
  messages(): Promise<Message[]> {
    return Promise.resolve([]);
  }

  async poll(options: WaitOptions): Promise<boolean> {
    const { settled } = this.requests;
    const news = new News(options);
    const unwatch = this.requests.watch(() => news.tell());
    try {
      await news.come();
      return this.requests.settled !== settled;
    } finally {
      unwatch();
    }
  }

  /** The service is told of its end itself, and ends what is part of it. */
  listen(): void {}

  /** The service's other requests go on. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A wait for something to happen: until it is told, its deadline, or its signal. */
class News {
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;
  readonly #over = deferred<void>();

  constructor({ timeout = 0, signal }: WaitOptions) {
    this.#deadline = deadlineOf(timeout);
    this.#signal = signal;
  }

  tell(): void {
    this.#over.resolve();
  }

  fail(error: unknown): void {
    this.#over.reject(error);
  }

  async come(): Promise<void> {
    const abort = (): void => this.fail(this.#signal?.reason);
    this.#signal?.throwIfAborted();
    const left = this.#deadline - performance.now();
    if (left <= 0) return;
    this.#signal?.addEventListener('abort', abort, { once: true });
    // Node cuts a longer timer to one millisecond.
    const timer = left < 2 ** 31 ? setTimeout(() => this.tell(), left) : undefined;
    try {
      await this.#over.promise;
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener('abort', abort);
    }
  }
}
