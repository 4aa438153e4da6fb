/**
 * Requests that were sent and what has come of them.
 *
 * A request is open until the first of these: its answer, its deadline, its signal, an error of the send, or news that its
 * peer will never answer (`PeerWatch`). Then its outcome waits for whoever asks: a promise, a callback, or `get` later.
 * An outcome that came by itself is never thrown at nobody: requests without a promise keep it.
 *
 * One file, since the ways in which a request ends exclude each other.
 */
import type { Client } from '../client/client.ts';
import { requesting, type RequestTrace } from '../diagnostics/channels.ts';
import { IpcError, isIpcError, quote } from '../errors.ts';
import { monotonic } from '../liveness/monotonic.ts';
import { uuidAt } from '../message/id.ts';
import { Kept } from './kept.ts';
import { PeerWatch, type WatchedRequest } from './peer-watch.ts';
import { cancelContent, infoContent, requestContent, type Outcome } from './wire.ts';

/** How a request may end early. */
export interface RequestOptions {
  /** Milliseconds for the answer; it goes with the request, whose handler's signal aborts then. Default: for ever. */
  readonly timeout?: number | undefined;
  /** Gives the request up; its handler's signal aborts too. */
  readonly signal?: AbortSignal | undefined;
}

/** Outcomes that are kept until somebody asks for them: more than that, and nobody does. */
const mostKept = 65_536;

/** Gets the answer, or the error, of a request. */
export type ResponseCallback<Response = unknown> = (error: Error | undefined, response: Response | undefined) => void;

/** What came of a request, for its sender. */
export type Settled<Response = unknown> = { readonly response: Response } | { readonly error: Error };

/** What is asked: something of the handler, or the service about itself. */
type Asked = { readonly request: unknown } | 'info';

/** What the table needs of its owner. */
export interface RequestsPort {
  readonly client: Client;
  /** The number of open requests has become more than none, or none. */
  busy(open: boolean): void;
  /** Reads what has arrived already, so that no answer is missed. */
  catchUp(): Promise<void>;
  /** A callback threw. */
  threw(error: unknown): void;
}

interface Pending extends WatchedRequest {
  delivered: number | undefined;
  /** Its outcome is kept until somebody asks for it. */
  keep: boolean;
  settle: (settled: Settled, id: string) => void;
  timer: NodeJS.Timeout | undefined;
  unlisten: (() => void) | undefined;
  /** Tells those who trace it. */
  traced: ((settled: Settled) => void) | undefined;
}

/** The requests of one client. */
export class Requests {
  readonly #port: RequestsPort;
  readonly #open = new Map<string, Pending>();
  readonly #kept: Kept<string, { readonly peer: string; readonly settled: Settled }>;
  readonly #watch: PeerWatch;
  #settled = 0;
  #closed: IpcError | undefined;
  readonly #watchers = new Set<() => void>();
  #waiting: { readonly peer: string; readonly resolve: () => void }[] = [];

  constructor(port: RequestsPort) {
    this.#port = port;
    const complaint =
      `outcomes of requests by "${port.client.id}" wait to be taken: take them by awaitAllResponses() or getResponse(), or give ` +
      'sendRequest a callback';
    this.#kept = new Kept(mostKept, complaint);
    this.#watch = new PeerWatch({
      client: port.client,
      open: () => this.#open.values(),
      catchUp: () => port.catchUp(),
      fail: ({ id }, error) => this.#settle(id, { error }),
    });
  }

  /** Number of requests that have had an outcome. */
  get settled(): number {
    return this.#settled;
  }

  /** Number of requests without an outcome. */
  get open(): number {
    return this.#open.size;
  }

  /** Calls `wake` whenever a request has had an outcome; returns how to stop. */
  watch(wake: () => void): () => void {
    this.#watchers.add(wake);
    return () => {
      this.#watchers.delete(wake);
    };
  }

  /** Sends a request and resolves to the answer. */
  request(call: string, peer: string, request: unknown, options: RequestOptions): Promise<unknown> {
    return this.#ask(call, peer, { request: request ?? null }, options);
  }

  /** Asks a service about itself. */
  info(peer: string, options: RequestOptions): Promise<unknown> {
    return this.#ask('info', peer, 'info', options);
  }

  /** Sends a request; its outcome goes to the callback, or is kept for {@link get}. Returns its id. */
  send(peer: string, request: unknown, options: RequestOptions, callback: ResponseCallback | undefined): string {
    const keep = (settled: Settled, id: string): void => void this.#kept.set(id, { peer, settled });
    const tell = (settled: Settled): void => {
      try {
        if ('error' in settled) callback?.(settled.error, undefined);
        else callback?.(undefined, settled.response);
      } catch (error) {
        // Others, whose outcome comes by the same message or the same look, get theirs all the same.
        this.#port.threw(error);
      }
    };
    const asked = { request: request ?? null };
    const id = this.#send('sendRequest', peer, asked, options, callback === undefined ? keep : tell);
    const pending = this.#open.get(id);
    if (pending !== undefined) pending.keep = callback === undefined;
    return id;
  }

  /** The outcome of a request, once; undefined while it is open. Throws `IPCM_INVALID_OPTION` for an unknown id. */
  get(call: string, id: string): Settled | undefined {
    const kept = this.#kept.get(id);
    if (kept !== undefined) this.#kept.delete(id);
    else if (!this.#open.has(id)) {
      throw new IpcError(
        'IPCM_INVALID_OPTION',
        `${call}: there is no request ${quote(id)}, or its answer has been taken, or dropped, already`,
      );
    }
    return kept?.settled;
  }

  /** The outcome of a request when it is there, once. */
  async await(call: string, id: string): Promise<Settled> {
    const there = this.get(call, id);
    if (there !== undefined) return there;
    const pending = this.#open.get(id);
    return new Promise((resolve) => {
      if (pending === undefined) return;
      // What is awaited is not kept; a callback, and others who await it, get it all the same.
      const { settle, keep } = pending;
      pending.keep = false;
      pending.settle = (settled) => {
        if (!keep) settle(settled, id);
        resolve(settled);
      };
    });
  }

  /** The outcomes of a peer's requests that are kept, once, when none of them is open any more. */
  async awaitAll(peer: string): Promise<Map<string, Settled>> {
    if (this.#hasOpen(peer)) await new Promise<void>((resolve) => this.#waiting.push({ peer, resolve }));
    const all = new Map<string, Settled>();
    for (const [id, kept] of this.#kept) {
      if (kept.peer !== peer) continue;
      all.set(id, kept.settled);
      this.#kept.delete(id);
    }
    return all;
  }

  /** An answer has come. False for one that nobody waits for. */
  answered(id: string, from: string, outcome: Outcome): boolean {
    const pending = this.#open.get(id);
    // Somebody else's guess at an id is no answer.
    if (pending?.peer !== from) return false;
    this.#settle(id, 'response' in outcome ? outcome : { error: requestError(from, outcome.error, outcome.code) });
    return true;
  }

  /** Looks at the peers of open requests now, where somebody has a reason to think that one has gone. */
  look(): void {
    this.#watch.look();
  }

  /** Ends all that are open; what comes after them goes on. */
  fail(error: IpcError): void {
    const open = [...this.#open.keys()];
    for (const id of open) this.#settle(id, { error });
  }

  /** Takes no more requests: whoever asks is told `error`. */
  refuse(error: IpcError): void {
    this.#closed ??= error;
  }

  /** Ends all that are open, for good. */
  close(error: IpcError): void {
    this.refuse(error);
    this.fail(error);
    this.#watch.close();
  }

  #ask(call: string, peer: string, asked: Asked, options: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#send(call, peer, asked, options, (settled) => {
        if ('error' in settled) reject(settled.error);
        else resolve(settled.response);
      });
    });
  }

  #send(
    call: string,
    peer: string,
    asked: Asked,
    options: RequestOptions,
    settle: (settled: Settled, id: string) => void,
  ): string {
    const { client } = this.#port;
    const { timeout, signal } = options;
    // Thrown, since a callback that asks again whenever it is told an error would be told for ever.
    if (this.#closed !== undefined) throw this.#closed;
    const id = uuidAt(Date.now() * 1000);
    signal?.throwIfAborted();
    if (timeout !== undefined && !(timeout >= 0)) {
      throw new IpcError('IPCM_INVALID_OPTION', `${call}: timeout is a number of milliseconds, not ${quote(timeout)}`);
    }
    const deadline = timeout === undefined || timeout === Infinity ? undefined : (Date.now() + timeout) / 1000;
    const pending: Pending = {
      id,
      peer,
      delivered: undefined,
      seen: undefined,
      keep: false,
      settle,
      timer: undefined,
      unlisten: undefined,
      traced: undefined,
    };
    const content =
      asked === 'info'
        ? infoContent(id, deadline)
        : requestContent(id, asked.request, deadline, this.#trace(pending, asked.request));
    this.#open.set(id, pending);
    if (this.#open.size === 1) this.#port.busy(true);
    client.post(
      peer,
      content,
      () => (pending.delivered = monotonic()),
      // Not before the caller knows of the request.
      (error) => queueMicrotask(() => this.#settle(id, { error: asError(error) })),
    );
    if (deadline !== undefined && timeout !== undefined && timeout < 2 ** 31) {
      pending.timer = setTimeout(() => this.#settle(id, { error: tooSlow(call, client.id, peer, timeout) }), timeout);
    }
    if (signal !== undefined) {
      const abort = (): void => {
        // A courtesy: whether it arrives changes nothing here.
        client.sendMessage(peer, cancelContent(id)).catch(() => undefined);
        this.#settle(id, { error: asError(signal.reason) });
      };
      signal.addEventListener('abort', abort, { once: true });
      pending.unlisten = () => signal.removeEventListener('abort', abort);
    }
    this.#watch.start();
    return id;
  }

  #settle(id: string, settled: Settled): void {
    const pending = this.#open.get(id);
    if (pending === undefined) return;
    this.#open.delete(id);
    clearTimeout(pending.timer);
    pending.unlisten?.();
    if (this.#open.size === 0) {
      this.#watch.stop();
      this.#port.busy(false);
    }
    this.#settled++;
    for (const wake of this.#watchers) wake();
    if (this.#waiting.length > 0 && !this.#hasOpen(pending.peer)) {
      for (const { peer, resolve } of this.#waiting) if (peer === pending.peer) resolve();
      this.#waiting = this.#waiting.filter(({ peer }) => peer !== pending.peer);
    }
    pending.traced?.(settled);
    // Last, when everything is in order: a callback may do whatever it likes.
    pending.settle(settled, id);
  }

  /** Tells those who trace, if any; returns what they want to go with the request. */
  #trace(pending: Pending, request: unknown): RequestTrace['carried'] | undefined {
    if (!requesting.hasSubscribers) return undefined;
    const { id, peer } = pending;
    const trace: RequestTrace = { client: this.#port.client.id, peer, id, request, carried: {} };
    const outcome = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        pending.traced = (settled) => ('error' in settled ? reject(settled.error) : resolve(settled.response));
      });
    // Whoever asked is told by the request itself.
    requesting.tracePromise(outcome, trace).catch(() => undefined);
    return Object.keys(trace.carried).length === 0 ? undefined : trace.carried;
  }

  #hasOpen(peer: string): boolean {
    for (const request of this.#open.values()) if (request.peer === peer) return true;
    return false;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function tooSlow(call: string, client: string, peer: string, timeout: number): IpcError {
  return new IpcError('IPCM_TIMEOUT', `${call} from "${client}": ${quote(peer)} did not answer in ${timeout} ms`, {
    client,
    peer,
  });
}

/** Codes of answers that tell of the request itself, and not of what its handler threw. */
const ownCodes = ['IPCM_REQUEST_INVALID', 'IPCM_REQUEST_REFUSED', 'IPCM_NOT_SELF_CONTAINED'] as const;

/** What the handler's side said; its own codes stay what they are. */
function requestError(peer: string, text: string, code: string | undefined): IpcError {
  const known = ownCodes.find((each) => each === code) ?? 'IPCM_REQUEST_FAILED';
  const details = code === undefined ? {} : { details: { code } };
  return new IpcError(known, `${quote(peer)} answered with an error: ${text}`, { peer, ...details });
}

/** True when a send failed because the one who asked is not there any more. */
export function isGone(error: unknown): boolean {
  return isIpcError(error, 'IPCM_PEER_GONE') || isIpcError(error, 'IPCM_PEER_UNKNOWN');
}
