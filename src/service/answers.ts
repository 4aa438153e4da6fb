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
import type { Message } from '../message/message.ts';
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
  /** No more answers are wanted; what is open ends in `error`. */
  close(error: IpcError): Promise<void>;
}

/** Answers that come to a client of the handle's own. */
export class OwnAnswers implements Answers {
  readonly client: Client;
  readonly requests: Requests;
  #kept: Message[] = [];
  #pollers = 0;
  #reading: Promise<void> | undefined;
  #stopReading: AbortController | undefined;

  constructor(client: Client) {
    this.client = client;
    this.requests = new Requests({
      client,
      busy: (open) => this.#busy(open),
      catchUp: () => this.#catchUp(),
    });
  }

  async messages(): Promise<Message[]> {
    if (!this.client.disconnected) await this.#catchUp();
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  async poll(options: WaitOptions): Promise<boolean> {
    const deadline = deadlineOf(options.timeout ?? 0);
    const [kept, settled] = [this.#kept.length, this.requests.settled];
    const changed = (): boolean => this.#kept.length !== kept || this.requests.settled !== settled;
    this.#pollers++;
    try {
      await this.#catchUp();
      while (!changed() && performance.now() < deadline) {
        options.signal?.throwIfAborted();
        await this.#read({ timeout: deadline - performance.now(), signal: options.signal });
      }
      return changed();
    } finally {
      this.#pollers--;
    }
  }

  async close(error: IpcError): Promise<void> {
    this.requests.close(error);
    this.#stopReading?.abort();
    await this.#reading;
    // Answers that nobody waits for any more are nobody's loss.
    await this.client.disconnect(() => undefined);
  }

  #busy(open: boolean): void {
    if (open) this.#reading ??= this.#readWhileOpen();
    else if (this.#pollers === 0) this.#stopReading?.abort();
  }

  async #readWhileOpen(): Promise<void> {
    // The requests of one tick, and the one that made this necessary, are sent first.
    await Promise.resolve();
    try {
      while (this.requests.open > 0) {
        this.#stopReading ??= new AbortController();
        await this.#read({ signal: this.#stopReading.signal });
      }
    } catch (error) {
      if (this.#stopReading?.signal.aborted !== true) this.#failed(error);
    } finally {
      this.#stopReading = undefined;
      this.#reading = undefined;
      // Aborted because nothing was open, and something has come to be open since.
      if (this.requests.open > 0 && !this.client.disconnected) this.#reading = this.#readWhileOpen();
    }
  }

  /** The store is gone, or the client was disconnected behind our back: nothing will be answered. */
  #failed(cause: unknown): void {
    const error = new IpcError('IPCM_NOT_CONNECTED', 'the answers cannot be read any more', { cause });
    this.requests.close(error);
  }

  async #read(options: WaitOptions): Promise<void> {
    this.#dispatch(await this.client.getMessages(options));
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
      // A late answer is nobody's.
      if (meaning?.kind === 'response') this.requests.answered(meaning.id, message.from, meaning.outcome);
      else this.#kept.push(message);
    }
  }
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

  async poll({ timeout = 0, signal }: WaitOptions): Promise<boolean> {
    const { settled } = this.requests;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(timeout, 2 ** 31 - 1))));
    signal?.throwIfAborted();
    await Promise.race([over, this.requests.next()]);
    clearTimeout(timer);
    return this.requests.settled !== settled;
  }

  /** The service's other requests go on. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
