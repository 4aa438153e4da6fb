/**
 * A running service: one client, its callbacks, and what they need to know.
 *
 * States: starting (connected, `onStart` not done), running, ending, ended. It reads until it is told to end: by a terminate
 * message, `end()`, a signal, `shouldEnd`, a watched process's death, or an error. Then, each step whatever became of the
 * one before: requests in hand are waited for, `onCleanup` runs, workers and nested services are ended, the client
 * disconnects. Everything is driven by events; an idle service waits for its inbox, and no more.
 *
 * What comes in is read and sorted by `Intake`, requests are answered by `Answering`, callbacks called by `Calling`. What is
 * here is long since it is the whole face of a service, and the one place that knows in which order it begins and ends.
 */
import type { Client } from '../client/client.ts';
import { leavesByItself } from '../client/local-clients.ts';
import { IpcError, quote, type ErrorCode } from '../errors.ts';
import { deferred } from '../launch/deferred.ts';
import type { Message } from '../message/message.ts';
import { Answering } from './answering.ts';
import { Calling } from './calling.ts';
import { ServiceChildren } from './children.ts';
import type {
  Activity,
  CallbackName,
  Service,
  ServiceCallbacks,
  ServiceDefinition,
  ServiceSettings,
  SignalCallbacks,
} from './definition.ts';
import { EventSources, type CallbackFor } from './event-sources.ts';
import type { ServiceCounts, ServiceInfo } from './info.ts';
import { InHand } from './in-hand.ts';
import type { Received } from './backlog.ts';
import { Intake, type ReceivedRequest } from './intake.ts';
import { ServicePeer } from './peer.ts';
import { Requests } from './requests.ts';
import { longestEnd, resolveSettings, type ResolvedSettings } from './settings.ts';
import { Unread } from './unread.ts';
import { readContent, responseContent, type Outcome } from './wire.ts';

/** What a service is made of; put together by `ipcmServe`. */
export interface ServiceParts<Params = unknown> {
  readonly name: string;
  readonly ipcmInfo: string;
  readonly params: Params;
  readonly client: Client;
  /** Settings that win over those of the definition. */
  readonly settings: ServiceSettings;
  /** Install handlers for SIGTERM, SIGINT and SIGHUP that end the service. */
  readonly handleSignals: boolean;
  /** An interrupt, which reaches all processes of a terminal, is for whoever started this one and will end it. */
  readonly nested: boolean;
  /** The client reads with acknowledgement: say what has been dealt with. */
  readonly acknowledge: boolean;
}

/** A running service. */
export class ServiceRuntime<Params = unknown> implements Service<Params> {
  readonly name: string;
  readonly ipcmInfo: string;
  readonly params: Params;
  readonly client: Client;
  readonly pid: number = process.pid;
  readonly startedAt: number = Date.now();
  readonly #begun = performance.now();
  readonly children: ServiceChildren;
  readonly #given: ServiceSettings;
  /** Answers to requests of this service. */
  readonly requests: Requests;
  readonly #sources: EventSources;
  readonly #acknowledge: boolean;
  readonly #intake: Intake;
  readonly #told = deferred<void>();
  readonly #inHand = new InHand();
  readonly #calling: Calling;
  readonly #unread: Unread;
  #settings: ResolvedSettings;
  #answering: Answering | undefined;
  #state: 'starting' | 'running' | 'ending' | 'ended' = 'starting';
  #failure: { readonly error: unknown } | undefined;
  #endedBy: string | undefined;
  #requested = 0;
  #wasReady = false;
  #crashed = false;

  constructor(parts: ServiceParts<Params>) {
    const { client, settings } = parts;
    this.name = parts.name;
    this.ipcmInfo = parts.ipcmInfo;
    this.params = parts.params;
    this.client = client;
    leavesByItself(client);
    this.#given = settings;
    this.#acknowledge = parts.acknowledge;
    this.#settings = resolveSettings(settings);
    this.#calling = new Calling({
      service: this,
      interceptErrors: () => this.#settings.interceptErrors,
      end: (reason) => this.end(reason),
      begun: (work) => this.#inHand.add(work),
    });
    this.#unread = new Unread(this, this.#calling);
    this.children = new ServiceChildren(() => this.#settings.grace);
    this.requests = new Requests({
      client,
      busy: () => this.#intake.changed(),
      catchUp: () => this.#intake.caughtUp(),
      threw: (error) => this.#calling.failed(error, this.#settings.interceptErrors),
    });
    this.#intake = new Intake({
      client,
      requests: this.requests,
      room: () => this.#settings.concurrency - (this.#answering?.open ?? 0),
      waits: () => this.requests.open > 0 || this.#answering?.waits === true,
      take: (request) => this.#takeRequest(request),
      deal: (message) => this.#dealWith(message),
      takeAtOnce: (received) => this.#takeAtOnce(received),
      refuse: (request, why) => this.#refuse(request, 'IPCM_REQUEST_REFUSED', `takes no more requests: ${why}`),
      drop: (message) => this.#dealtWith(message),
      leave: (message) => {
        this.#dealtWith(message);
        void this.#track(this.#unread.add([message]));
      },
      idle: () => this.#inHand.changed(),
    });
    this.#sources = new EventSources({
      client,
      settings: () => this.#settings,
      handleSignals: parts.handleSignals,
      nested: parts.nested,
      isWorker: (child) => this.children.has(child),
      happened: (activity, callback, ...args) => this.#track(this.#happened(activity, callback, args)),
      end: (by) => this.end(undefined, by),
    });
  }

  get state(): 'starting' | 'running' | 'ending' | 'ended' {
    return this.#state;
  }

  /** Not for callers: its `onStart` is done, and was before its end. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Not for callers: milliseconds after which its end is to be forced. */
  get longestEnd(): number {
    return longestEnd(this.#settings);
  }

  /** Not for callers: what was the first to end it. */
  get endedBy(): string | undefined {
    return this.#endedBy;
  }

  get counts(): ServiceCounts {
    return { requests: this.#requested, errors: this.#calling.errors, open: this.#answering?.open ?? 0 };
  }

  peer<Request = unknown, Response = unknown>(name: string): ServicePeer<Request, Response> {
    const childPid = this.children.service(name)?.childPid;
    return new ServicePeer({ name, client: this.client, requests: this.requests, childPid });
  }

  async sendResponse(id: string, response: unknown): Promise<void> {
    await this.#answerLater('sendResponse', id, () => ({ response }));
  }

  async sendError(id: string, error: unknown): Promise<void> {
    await this.#answerLater('sendError', id, (answering) => answering.outcomeOf(error));
  }

  addCallback<Name extends CallbackName>(
    name: Name,
    callback: ServiceCallbacks<unknown, unknown, Params>[Name],
    options: { readonly first?: boolean | undefined } = {},
  ): void {
    this.#calling.callbacks.add(name, callback, options.first);
    if (this.#state !== 'starting') this.#sources.arrange(this.#calling.callbacks);
  }

  removeCallback<Name extends CallbackName>(
    name: Name,
    callback?: ServiceCallbacks<unknown, unknown, Params>[Name],
  ): boolean {
    const removed = this.#calling.callbacks.remove(name, callback);
    if (this.#state !== 'starting') this.#sources.arrange(this.#calling.callbacks);
    return removed;
  }

  onSignal(signal: NodeJS.Signals, callback: SignalCallbacks<Params>[NodeJS.Signals]): void {
    this.#sources.setSignal(signal, callback as SignalCallbacks[NodeJS.Signals]);
  }

  end(reason?: unknown, by = 'a call of end()'): void {
    this.#endedBy ??= by;
    if (reason !== undefined) this.#failure ??= { error: reason };
    if (this.#state === 'running' || this.#state === 'starting') this.#state = 'ending';
    this.#intake.end();
    // What a service cannot do any more it does not go on with.
    if (reason !== undefined) this.#intake.finish();
    this.#told.resolve();
  }

  /** Not for callers: something was thrown that nobody has caught. What is in hand is not waited for: who knows whether it still is. */
  crash(error: unknown): void {
    this.#crashed = true;
    this.end(error);
    this.#inHand.changed();
  }

  /** Gives it the definition, and gets ready, unless it is ended meanwhile. */
  async start(definition: ServiceDefinition): Promise<void> {
    const { handleRequest, requestSchema, responseSchema } = definition;
    this.#settings = resolveSettings(definition, this.#given);
    this.#calling.define(definition);
    if (handleRequest !== undefined) {
      this.#answering = new Answering({
        service: this,
        client: this.client,
        exposeErrorDetails: this.#settings.exposeErrorDetails,
        requestSchema,
        responseSchema,
        handle: (request, context) => handleRequest.call(definition, request, context),
        changed: () => this.#intake.changed(),
        answered: (message) => this.#dealtWith(message),
        done: (error) => this.#answered(error),
      });
    }
    for (const [signal, callback] of Object.entries(definition.onSig ?? {})) {
      this.#sources.setSignal(signal as NodeJS.Signals, callback);
    }
    this.#sources.start(this.#calling.callbacks);
    this.#intake.run().then(
      () => this.end(),
      // The store is gone, or somebody has disconnected the client: there is no way to go on.
      (error: unknown) => this.end(error),
    );
    const started = this.#calling.strictly('onStart', this).then(() => (this.#wasReady = true));
    // One that ends itself in the midst of it shall come to the end of it.
    await Promise.race([started, this.#told.promise.then(() => new Promise(setImmediate))]);
    if (!this.#wasReady) {
      void this.#track(started.then(() => undefined));
      if (this.#failure !== undefined) throw this.#failure.error;
      return;
    }
    if (this.#state === 'starting') this.#state = 'running';
    this.#sources.arrange(this.#calling.callbacks);
  }

  /** Runs until the end. Rejects with what ended it, if that was an error. */
  async run(): Promise<void> {
    if (this.#state === 'running') this.#intake.open();
    await this.#told.promise;
    const errors: unknown[] = [];
    for (const step of this.#lastSteps()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#state = 'ended';
    if (this.#failure !== undefined) errors.unshift(this.#failure.error);
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `service "${this.name}" ended with errors`);
  }

  /** What can be done in the `exit` event. */
  closeSync(): void {
    this.children.killAll();
    this.client.closeSync();
  }

  *#lastSteps(): Generator<() => Promise<void>> {
    // A signal that came before the message that ended it may be told after it: in this turn of the event loop or the next.
    for (let turn = 0; turn < 2; turn++) yield () => new Promise((resolve) => setImmediate(resolve));
    yield () => this.#finishInHand();
    this.#sources.stop();
    yield () => this.#calling.strictly('onCleanup', this);
    yield () => this.children.stop();
    const error = new IpcError('IPCM_NOT_CONNECTED', `service "${this.name}" ended before the answer came`);
    this.requests.close(error);
    const read = this.#intake.close();
    // With acknowledgement the store still has them, and hands them out again.
    if (!this.#acknowledge) yield () => this.#unread.add(read);
    // Whoever sent a request sees this service go.
    const isGeneral = ({ content }: Message): boolean => readContent(content) === undefined;
    yield () => this.client.disconnect((unread) => this.#unread.add(unread.filter(isGeneral)));
    yield async () => this.#unread.check();
    this.#sources.releaseSignals();
  }

  #heard(message: Message): void {
    if (!this.#calling.callbacks.has('onAll')) return;
    void this.#track(this.#calling.call('onAll', { message } satisfies Activity, this));
  }

  #takeRequest(request: ReceivedRequest): void {
    const { message } = request;
    this.#heard(message);
    this.#requested++;
    if (this.#answering !== undefined) {
      this.#answering.take(request);
      return;
    }
    this.#refuse(request, 'IPCM_REQUEST_INVALID', 'answers no requests: it has no handleRequest');
    void this.#track(this.#calling.call('onUnhandled', message, this));
  }

  #takeAtOnce({ message, meaning }: Received): void {
    this.#heard(message);
    if (message.isTerminate) this.end(undefined, `a terminate message from ${quote(message.from)}`);
    else if (meaning?.kind === 'info') void this.#track(this.#tellAbout(message.from, meaning.id));
    else if (meaning?.kind === 'cancel') this.#answering?.cancel(message.from, meaning.id);
    else if (meaning?.kind === 'response') {
      const { id, outcome } = meaning;
      if (!this.requests.answered(id, message.from, outcome)) this.#stray(message, id, outcome);
      this.#afterwards();
    }
    this.#dealtWith(message);
  }

  async #tellAbout(asker: string, id: string): Promise<void> {
    const { name, pid, startedAt, state, children } = this;
    const workers = children.workers.map((worker) => ({ name: worker.name, pid: worker.pid }));
    const uptime = Math.round(performance.now() - this.#begun);
    const facts = { name, pid, startedAt, uptime, state, workers, node: process.version };
    const info: ServiceInfo = { ...facts, ...this.counts };
    await this.client.tryMessage(asker, responseContent(id, { response: info }));
  }

  /** Whatever came of it: what throws each time would otherwise come again for ever. */
  #dealtWith(message: Message): void {
    if (this.#acknowledge && !this.client.disconnected) void this.#track(this.client.acknowledge(message));
  }

  #dealWith(message: Message): Promise<void> {
    this.#heard(message);
    const name = this.#calling.callbacks.has('onGeneralMessage') ? 'onGeneralMessage' : 'onUnhandled';
    const dealt = this.#calling.call(name, message, this).finally(() => {
      this.#dealtWith(message);
      this.#afterwards();
    });
    return this.#track(dealt);
  }

  #stray(message: Message, id: string, outcome: Outcome): void {
    const { from } = message;
    if (!this.#calling.callbacks.has('handleResponse')) {
      void this.#track(this.#calling.call('onUnhandled', message, this));
      return;
    }
    const stray =
      'response' in outcome
        ? { id, from, response: outcome.response, error: undefined }
        : { id, from, response: null, error: outcome.error };
    void this.#track(this.#calling.call('handleResponse', stray, this));
  }

  /** A request that will not be answered: whoever sent it shall not wait. */
  #refuse({ message, meaning }: ReceivedRequest, code: ErrorCode, why: string): void {
    const refusal = responseContent(meaning.id, { error: `service "${this.name}" ${why}`, code });
    // Nobody is left to be told where it does not arrive: who asked has gone, or reads nothing.
    void this.#track(this.client.tryMessage(message.from, refusal).then(() => undefined));
    this.#dealtWith(message);
  }

  #answered(error: unknown): void {
    if (error !== undefined) this.#calling.failed(error, true);
    this.#afterwards();
  }

  #afterwards(): void {
    this.#inHand.changed();
    this.#intake.changed();
    if (this.#calling.callbacks.has('shouldEnd') && this.#state === 'running')
      void this.#track(this.#askWhetherToEnd());
  }

  async #askWhetherToEnd(): Promise<void> {
    for (const callback of this.#calling.callbacks.list('shouldEnd')) {
      if ((await callback(...([this] as never[]))) === true) this.end();
    }
  }

  async #happened(activity: Activity, callback: CallbackFor, args: readonly unknown[]): Promise<void> {
    if (this.#calling.callbacks.has('onAll')) await this.#calling.call('onAll', activity, this);
    if (typeof callback === 'function') await this.#calling.guarded(async () => callback(this));
    else if (callback !== undefined) await this.#calling.call(callback, ...args, this);
    this.#afterwards();
  }

  #track(work: Promise<void>): Promise<void> {
    // What can go wrong in it has been told by then.
    const tracked = work.catch((error: unknown) => this.#calling.failed(error, this.#settings.interceptErrors));
    this.#inHand.add(tracked);
    return tracked;
  }

  async #finishInHand(): Promise<void> {
    const isIdle = (): boolean => (this.#answering?.open ?? 0) === 0 && this.#intake.idle;
    const isOver = (): boolean => this.#crashed;
    await this.#inHand.finish(isIdle, isOver, this.#settings.drainTimeout);
    this.#intake.finish();
    const reason = new IpcError('IPCM_NOT_CONNECTED', `service "${this.name}" has ended`, { client: this.name });
    this.#answering?.abandon(reason);
  }

  async #answerLater(call: string, id: string, make: (answering: Answering) => Outcome): Promise<void> {
    if (this.#answering === undefined) {
      throw new IpcError('IPCM_INVALID_OPTION', `${call}: service "${this.name}" has no handleRequest`);
    }
    try {
      await this.#answering.answer(this.#answering.find(call, id), make(this.#answering));
    } finally {
      this.#afterwards();
    }
  }
}
