/**
 * Requests in hand: each is checked, handled and answered, with what its handler needs to know.
 *
 * A request is in hand until it is answered, or taken back by its sender. Its handler may answer by returning, by throwing,
 * or later through `sendResponse`; whatever comes after the first answer is refused.
 */
import type { Client } from '../client/client.ts';
import { handling } from '../diagnostics/channels.ts';
import { IpcError, isIpcError, quote } from '../errors.ts';
import type { Message } from '../message/message.ts';
import { explainInline } from '../launch/source.ts';
import type { ReceivedRequest } from './intake.ts';
import { OpenRequest } from './open-request.ts';
import { isGone } from './requests.ts';
import type { StandardSchema } from './schema.ts';
import { validate } from './schema.ts';
import type { RequestContext, Service } from './definition.ts';
import { carriedWith, responseContent, type Outcome } from './wire.ts';

/** What a caller gets to read of an error, unless the service exposes details; the reference's words. */
const hidden = 'Internal service error';

/** What answers requests. */
export interface AnsweringPort {
  readonly service: Service;
  readonly client: Client;
  readonly exposeErrorDetails: boolean;
  readonly requestSchema: StandardSchema | undefined;
  readonly responseSchema: StandardSchema | undefined;
  handle(request: unknown, context: RequestContext): unknown;
  /** There is room for another request, though the answer to the last one may still be on its way; or one waits for more. */
  changed(): void;
  /** The answer to what this message asked is with the store or the kernel, or there is nobody left to get it. */
  answered(message: Message): void;
  /** A request has been dealt with; with the error, if it went wrong. */
  done(error?: unknown): void;
}

/** The requests in hand. */
export class Answering {
  readonly #port: AnsweringPort;
  readonly #open = new Set<OpenRequest>();
  /** Those of them whose handlers have said that they will be answered later: by what, is not known here. */
  readonly #later = new Set<OpenRequest>();

  constructor(port: AnsweringPort) {
    this.#port = port;
  }

  /** Requests in hand. */
  get open(): number {
    return this.#open.size;
  }

  /** True while one of them is to be answered later, by what may still have to come in. */
  get waits(): boolean {
    return this.#later.size > 0;
  }

  /** Handles a request that has come in. */
  take(received: ReceivedRequest): void {
    const { request } = received.meaning;
    const context = new OpenRequest(this.#port.service, received, (each) => this.#answersLater(each));
    this.#open.add(context);
    if (this.#port.requestSchema !== undefined) {
      validate(this.#port.requestSchema, request, 'the request').then(
        (valid) => this.#handle(context, valid),
        (error: unknown) => this.#failed(context, error),
      );
      return;
    }
    this.#handle(context, request);
  }

  /** Its sender has taken it back. */
  cancel(from: string, id: string): void {
    const reason = new IpcError('IPCM_TIMEOUT', `the sender of request ${id} has taken it back`, { peer: from });
    // Ids are their senders' business: two may use the same.
    for (const context of this.#open) if (context.id === id && context.from === from) context.abandon(reason);
  }

  /** The one request of an id that is in hand. Throws `IPCM_INVALID_OPTION`. */
  find(call: string, id: string): OpenRequest {
    for (const context of this.#open) if (context.id === id && !context.isAnswered) return context;
    throw new IpcError(
      'IPCM_INVALID_OPTION',
      `${call}: there is no open request ${quote(id)}: it has been answered already, or never came`,
      { client: this.#port.client.id },
    );
  }

  /**
   * Answers, once. Resolves when the answer is with the store or the kernel; one to who has gone is dropped. Rejects with
   * what is wrong with the answer, and its caller gets that as an error: it must not wait for ever.
   */
  async answer(context: OpenRequest, outcome: Outcome): Promise<void> {
    if (context.isAnswered) this.find('sendResponse', context.id);
    context.isAnswered = true;
    let checked = outcome;
    let wrong: { readonly error: unknown } | undefined;
    const { responseSchema } = this.#port;
    if (responseSchema !== undefined && 'response' in outcome) {
      try {
        checked = { response: await validate(responseSchema, outcome.response, 'the answer') };
      } catch (error) {
        wrong = { error };
        checked = this.outcomeOf(error);
      }
    }
    this.#close(context);
    try {
      await this.#send(context, checked);
    } catch (error) {
      // A BigInt, say.
      if (!isIpcError(error, 'IPCM_INVALID_CONTENT') && !isIpcError(error, 'IPCM_MESSAGE_TOO_LARGE')) throw error;
      wrong = { error };
      await this.#send(context, this.outcomeOf(error));
    }
    this.#port.answered(context.message);
    if (wrong !== undefined) throw wrong.error;
  }

  /** Gives up on those that are still in hand; returns how many. */
  abandon(reason: Error): number {
    for (const context of this.#open) context.abandon(reason);
    return this.#open.size;
  }

  /** What a caller is told of an error. */
  outcomeOf(error: unknown): Outcome {
    const known = isIpcError(error, 'IPCM_REQUEST_INVALID') || isIpcError(error, 'IPCM_NOT_SELF_CONTAINED');
    const text = error instanceof Error ? error.message : String(error);
    const code = isIpcError(error) ? error.code : undefined;
    if (known) return { error: text, code };
    return this.#port.exposeErrorDetails ? { error: text, code: codeOf(error) } : { error: hidden, code: undefined };
  }

  #answersLater(context: OpenRequest): void {
    if (context.isAnswered) return;
    this.#later.add(context);
    this.#port.changed();
  }

  #close(context: OpenRequest): void {
    this.#open.delete(context);
    this.#later.delete(context);
    context.done();
    this.#port.changed();
  }

  #handle(context: OpenRequest, request: unknown): void {
    let response: unknown;
    let isPending: boolean;
    try {
      response = handling.hasSubscribers ? this.#traced(context, request) : this.#port.handle(request, context);
      isPending = isThenable(response);
    } catch (error) {
      this.#failed(context, error);
      return;
    }
    if (isPending) {
      // What is no promise of the language may throw where it should reject.
      Promise.resolve(response).then(
        (value) => this.#handled(context, value),
        (error: unknown) => this.#failed(context, error),
      );
      return;
    }
    this.#handled(context, response);
  }

  #traced(context: OpenRequest, request: unknown): Promise<unknown> {
    const { from, id, message } = context;
    const trace = { service: this.#port.client.id, from, id, request, carried: carriedWith(message.content) };
    return handling.tracePromise(async () => this.#port.handle(request, context), trace);
  }

  #handled(context: OpenRequest, response: unknown): void {
    // Answered by sendResponse already, or going to be.
    if (context.isLater || context.isAnswered) this.#port.done();
    else this.#finish(context, { response });
  }

  #failed(context: OpenRequest, thrown: unknown): void {
    const error = explainInline(thrown);
    if (context.isAnswered) this.#port.done(error);
    else this.#finish(context, this.outcomeOf(error), error);
  }

  #finish(context: OpenRequest, outcome: Outcome, failure?: unknown): void {
    this.answer(context, outcome).then(
      () => this.#port.done(failure),
      (error: unknown) => this.#port.done(error),
    );
  }

  async #send(context: OpenRequest, outcome: Outcome): Promise<void> {
    try {
      await this.#port.client.sendMessage(context.from, responseContent(context.id, outcome));
    } catch (error) {
      if (isGone(error)) return;
      if (!isIpcError(error, 'IPCM_OUTBOX_FULL')) throw error;
      if (await this.#findsRoom(context)) await this.#send(context, outcome);
    }
  }

  /** Who asks and does not read lives, and shall have the answer: meanwhile its request is in hand. */
  async #findsRoom(context: OpenRequest): Promise<boolean> {
    this.#open.add(context);
    try {
      await this.#port.client.drain({ peer: context.from, signal: context.waits() });
      return true;
    } catch (error) {
      if (isIpcError(error, 'IPCM_TIMEOUT')) return false;
      throw error;
    } finally {
      this.#close(context);
    }
  }
}

function codeOf(error: unknown): string | undefined {
  // That of a request which the handler sent itself would tell the caller that its own was not taken in hand.
  if (!(error instanceof Error) || !('code' in error) || error.code === 'IPCM_REQUEST_REFUSED') return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
