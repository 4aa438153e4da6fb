/**
 * Where the answers to a handle's requests come in.
 *
 * A handle outside a service has a client of its own, which is read all the time: whoever sends to it, a broadcast among
 * others, does not wait for somebody to ask. The process is kept alive only while a request is open or somebody polls. What
 * comes in besides answers is kept for `messages`; a terminate message is obeyed. Inside a service it is the service that
 * reads, and that deals with everything else.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { deadlineOf, type WaitOptions } from '../client/arrival.ts';
import type { Client } from '../client/client.ts';
import { leavesByItself } from '../client/local-clients.ts';
import { IpcError, isIpcError, quote, warn } from '../errors.ts';
import { deferred } from '../launch/deferred.ts';
import { within } from '../launch/timer.ts';
import type { Message } from '../message/message.ts';
import { giveHandleName } from './handle-name.ts';
import { Kept } from './kept.ts';
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

/** Messages that are kept for `messages`: more than that, and nobody asks for them. */
const mostKept = 4096;
/** Milliseconds that answers are waited for after a terminate message: as long as a service drains, unless told otherwise. */
const longestDrain = 5000;
/** Milliseconds before reading is tried again where it failed for a reason that may pass. */
const pause = 250;

const done = Promise.resolve();

/** Answers that come to a client of the handle's own. */
export class OwnAnswers implements Answers {
  readonly client: Client;
  readonly requests: Requests;
  readonly #kept: Kept<number, Message>;
  /** Messages that were no answers, so far. */
  #others = 0;
  /** Who waits for something to come in. */
  readonly #pollers = new Set<News>();
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  /** What keeps the process alive while somebody waits. */
  readonly #hold = setInterval(() => undefined, 2 ** 30).unref();
  #whenIdle: (() => void) | undefined;
  #isLeaving = false;
  /** Who is told of the end, and deals with it. */
  #over: (() => void) | undefined;

  constructor(client: Client) {
    this.client = client;
    leavesByItself(client);
    const complaint = `messages to the handle "${client.id}" are no answers: take them by messages(), or do not send to it`;
    this.#kept = new Kept(mostKept, complaint);
    this.requests = new Requests({
      client,
      busy: (open) => {
        this.#arrange();
        if (!open) this.#whenIdle?.();
      },
      catchUp: () => this.#catchUp(),
      threw: uncaught,
    });
    this.requests.watch(() => this.#tell());
    this.#reading = this.#read();
  }

  async messages(): Promise<Message[]> {
    if (!this.client.disconnected) await this.#catchUp();
    const kept = [...this.#kept.values()];
    this.#kept.clear();
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
  }

  async close(error: IpcError): Promise<void> {
    this.#over = undefined;
    this.requests.close(error);
    this.#failPollers(error);
    this.#stop.abort();
    await this.#reading;
    // Answers that nobody waits for any more are nobody's loss.
    await this.client.disconnect(() => undefined);
    giveHandleName(this.client.id);
  }

  #arrange(): void {
    if (this.requests.open > 0 || this.#pollers.size > 0) this.#hold.ref();
    else this.#hold.unref();
  }

  async #read(): Promise<void> {
    const options = { signal: this.#stop.signal, ref: false };
    while (!this.#stop.signal.aborted) {
      // Whoever has made this, or got an answer, may have something to ask: that is sent before the next look.
      await done;
      try {
        this.#dispatch(await this.client.getMessages(options));
      } catch (cause) {
        if (this.#stop.signal.aborted || this.#isOver(cause)) break;
        // Closed meanwhile, if it rejects.
        await sleep(pause, undefined, options).catch(() => undefined);
      }
    }
    clearInterval(this.#hold);
  }

  /** Reading has failed: nobody waits for that. True where it will not do better. */
  #isOver(cause: unknown): boolean {
    const error = new IpcError('IPCM_NOT_CONNECTED', 'the answers cannot be read any more', { cause });
    const isDisconnected = this.client.state !== 'connected';
    this.#failPollers(error);
    if (isDisconnected) this.requests.close(error);
    else this.requests.fail(error);
    return isDisconnected || isIpcError(cause, 'IPCM_STORE_MISSING');
  }

  #failPollers(error: IpcError): void {
    for (const news of this.#pollers) news.fail(error);
    this.#pollers.clear();
    this.#arrange();
  }

  /** Resolves when everything that was there at the call has been dispatched. */
  async #catchUp(): Promise<void> {
    do this.#dispatch(await this.client.getMessages());
    while (await this.client.haveReadyMessages());
    // What our own reader has taken last is dispatched within a turn.
    await nextTurn();
  }

  #dispatch(messages: readonly Message[]): void {
    for (const message of messages) {
      const meaning = readContent(message.content);
      if (meaning?.kind === 'response') {
        // A late answer is nobody's.
        this.requests.answered(meaning.id, message.from, meaning.outcome);
        continue;
      }
      this.#kept.set(this.#others++, message);
      this.#tell();
      if (message.isTerminate) this.#end(message);
    }
  }

  /** The bus is to end, or this handle. */
  #end({ from }: Message): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#over !== undefined) {
      this.#over();
      return;
    }
    const text = `the handle "${this.client.id}" was told to end, by a terminate message from ${quote(from)}`;
    const error = new IpcError('IPCM_NOT_CONNECTED', text, { client: this.client.id, peer: from });
    this.requests.refuse(error);
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve));
    // Services answer what they have in hand before they end.
    const drained = this.requests.open === 0 ? Promise.resolve(true) : within(longestDrain, idle);
    void drained
      .then(() => this.close(error))
      .catch((problem: unknown) => {
        if (isIpcError(problem)) warn(problem);
        else throw problem;
      });
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
