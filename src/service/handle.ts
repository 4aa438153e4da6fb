/** A service that this process has started, or reached by a client of its own. */
import type { WaitOptions } from '../client/arrival.ts';
import type { Client } from '../client/client.ts';
import { IpcError, isIpcError } from '../errors.ts';
import type { Ending, Launched } from '../launch/launched.ts';
import type { Message } from '../message/message.ts';
import type { ShutdownReport, Spawn } from '../spawn/spawn.ts';
import type { Answers } from './answers.ts';
import { ServicePeer } from './peer.ts';

/** How a handle's service is stopped. */
export interface StopOptions {
  /** Milliseconds for the service to end; then it is killed, if it was started by the handle. Default 10,000. */
  readonly timeout?: number | undefined;
}

/** What a handle is made of. */
export interface HandleParts {
  readonly name: string;
  readonly answers: Answers;
  /** The bus, if it was made for this service and goes with it. */
  readonly bus: Spawn | undefined;
  /** Info of the bus. */
  readonly ipcmInfo: string;
  /** The process, if it was started for this handle. */
  readonly launched: Launched | undefined;
}

/** Milliseconds that a service gets to end, unless told otherwise. */
const defaultStop = 10_000;

/** A service and the way to it. Made by `ipcmService` and `ipcmServiceHandle`. */
export class ServiceHandle<Request = unknown, Response = unknown> extends ServicePeer<Request, Response> {
  /** Info of the bus. */
  readonly ipcmInfo: string;
  /** The bus, if it was made for this service; it is shut down with the handle. */
  readonly bus: Spawn | undefined;
  readonly #answers: Answers;
  readonly #launched: Launched | undefined;
  #stopped: Promise<ShutdownReport | undefined> | undefined;

  /** Not for callers: use `ipcmService` or `ipcmServiceHandle`. */
  constructor(parts: HandleParts) {
    const { name, answers, launched } = parts;
    super({ name, client: answers.client, requests: answers.requests, childPid: launched?.childPid });
    this.ipcmInfo = parts.ipcmInfo;
    this.bus = parts.bus;
    this.#answers = answers;
    this.#launched = launched;
    // Whoever started a process is the first to hear of its end; then nobody has to wait for the next look.
    for (const end of [launched?.gone, launched?.ended]) void end?.then(() => answers.requests.look());
  }

  /** The client behind this handle: inside a service the service's own. It is not to be read from: what comes in is the handle's. */
  get client(): Client {
    return this.#answers.client;
  }

  /**
   * True when the service is connected; with `timeout` (milliseconds) waits for it. Rejects at once with
   * `IPCM_SERVICE_FAILED` when it was started for this handle and will never be.
   */
  override async ready(options: WaitOptions = {}): Promise<boolean> {
    if (this.#launched === undefined) return super.ready(options);
    const given = new AbortController();
    const failed = this.#launched.failed;
    const signal = options.signal === undefined ? given.signal : AbortSignal.any([options.signal, given.signal]);
    const waits = options.timeout !== undefined || options.signal !== undefined;
    const active = super.ready(waits ? { ...options, signal } : {});
    try {
      return await Promise.race([active, failed]);
    } finally {
      given.abort();
      // Aborted, if it was not first.
      active.catch(() => undefined);
    }
  }

  /**
   * How the first process of the service ended, when it has; never resolves where others started it. From the first use on the
   * service keeps this process alive, until it has ended or the handle is detached.
   */
  get ended(): Promise<Ending> {
    this.#launched?.hold(this.#stopped === undefined);
    return this.#launched?.ended ?? new Promise(() => undefined);
  }

  /** Another service on the same bus, asked through the same client. */
  peer<Asked = unknown, Answer = unknown>(name: string): ServicePeer<Asked, Answer> {
    const { client, requests } = this.#answers;
    return new ServicePeer({ name, client, requests, childPid: undefined });
  }

  /**
   * The messages to this handle that are no answers, each once; of more than 4096 the oldest are dropped, with a warning. None
   * inside a service: its callbacks get them.
   */
  messages(): Promise<Message[]> {
    return this.#answers.messages();
  }

  /**
   * Deals with what has come in: answers go to their requests, the rest waits for `messages`. With `timeout` (milliseconds)
   * waits for something. Resolves to true if there was anything.
   */
  poll(options: WaitOptions = {}): Promise<boolean> {
    return this.#answers.poll(options);
  }

  /**
   * Ends the service, if it was started for this handle, and the bus, if it was made for it; disconnects the handle's client.
   * Requests that are still open end in `IPCM_NOT_CONNECTED`. Resolves to the report of the bus's shutdown; rejects as
   * `Spawn.shutdown` does, with everything ended all the same. Doing it twice is fine.
   */
  stop(options: StopOptions = {}): Promise<ShutdownReport | undefined> {
    this.#stopped ??= this.#stop(options.timeout ?? defaultStop);
    return this.#stopped;
  }

  /**
   * Disconnects the handle's client and leaves the service alone, for a daemon and for services of others: `stop` and leaving
   * the scope of `await using` do nothing any more. Requests that are still open end in `IPCM_NOT_CONNECTED`.
   */
  async detach(): Promise<void> {
    const closed = new IpcError('IPCM_NOT_CONNECTED', `the handle of service "${this.name}" was detached`);
    this.#stopped ??= this.#answers.close(closed).then(() => undefined);
    this.#launched?.hold(false);
    await this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(timeout: number): Promise<ShutdownReport | undefined> {
    const { bus, name } = this;
    const errors: unknown[] = [];
    const attempt = async <T>(work: () => Promise<T> | undefined): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        errors.push(error);
        return undefined;
      }
    };
    await attempt(() => this.#end(timeout));
    const closed = new IpcError('IPCM_NOT_CONNECTED', `the handle of service "${name}" was closed before the answer`);
    await attempt(() => this.#answers.close(closed));
    const report = await attempt(() => bus?.shutdown());
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `stopping service "${name}" failed`);
    return report;
  }

  /** Terminate message, then SIGTERM, then SIGKILL. */
  async #end(timeout: number): Promise<void> {
    const launched = this.#launched;
    if (launched === undefined) return;
    let patience = 0;
    try {
      const wasThere = await this.ready();
      await this.terminate({ timeout });
      // Who has left is about to end: a signal now would be what its exit status tells.
      if (wasThere) patience = timeout;
    } catch (error) {
      // It does not end, or has gone already: the signals are for that.
      if (!isIpcError(error)) throw error;
    }
    await launched.stop(Math.min(timeout, 1000), patience);
  }
}
