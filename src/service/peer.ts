/** A service, seen by who asks it: requests in the forms that the manual has, and whether it is there. */
import type { WaitOptions } from '../client/arrival.ts';
import type { Client } from '../client/client.ts';
import type { ServiceInfo } from './info.ts';
import { isGone, type RequestOptions, type Requests, type ResponseCallback, type Settled } from './requests.ts';

/** Options of `sendRequest`. */
export interface SendRequestOptions<Response = unknown> extends RequestOptions {
  /** Gets the outcome; without one it is kept for `getResponse` and its siblings. */
  readonly callback?: ResponseCallback<Response> | undefined;
}

/** What a {@link ServicePeer} is made of. */
export interface ServicePeerParts {
  readonly name: string;
  readonly client: Client;
  readonly requests: Requests;
  /** The first process that was started for it; undefined for a peer that this process did not start. */
  readonly childPid: number | undefined;
}

/**
 * A service on the same bus. Given by `service.peer(name)`, and by `ipcmService` inside a service.
 *
 * What a request can end in: its answer; `IPCM_REQUEST_FAILED` (the handler threw), `IPCM_REQUEST_INVALID` (it did not fit
 * the schema), `IPCM_TIMEOUT` (too slow), the signal's reason, `IPCM_PEER_UNKNOWN` (nobody there), `IPCM_PEER_GONE` (it ended
 * or was killed before it answered), `IPCM_PEER_EXPIRED` (suspended past its deadline), or what `sendMessage` rejects with.
 */
export class ServicePeer<Request = unknown, Response = unknown> {
  /** Name of the service. */
  readonly name: string;
  readonly #parts: ServicePeerParts;

  /** Not for callers. */
  constructor(parts: ServicePeerParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** The first process that was started for it, which a wrapper or a daemon is not; undefined where others started it. */
  get childPid(): number | undefined {
    return this.#parts.childPid;
  }

  /** Process id of the service as the bus knows it; undefined while it is not connected. */
  servicePid(): Promise<number | undefined> {
    return this.#parts.client.peerPid(this.name);
  }

  /** True when the service is connected; with `timeout` (milliseconds) waits for it. */
  ready(options: WaitOptions = {}): Promise<boolean> {
    return this.#parts.client.peerActive(this.name, options);
  }

  /** Sends a request and resolves to its answer. */
  request(request: Request, options: RequestOptions = {}): Promise<Response> {
    return this.#parts.requests.request('request', this.name, request, options) as Promise<Response>;
  }

  /** Sends a request and returns its id at once. */
  sendRequest(request: Request, options: SendRequestOptions<Response> = {}): string {
    const { callback, ...rest } = options;
    return this.#parts.requests.send(this.name, request, rest, callback as ResponseCallback | undefined);
  }

  /** The answer to a request that `sendRequest` sent, once; undefined while there is none. Throws what it ended in. */
  getResponse(id: string): Response | undefined {
    const settled = this.#parts.requests.get('getResponse', id);
    return settled === undefined ? undefined : (responseOf(settled) as Response);
  }

  /** The answer to a request that `sendRequest` sent, when it is there. */
  async awaitResponse(id: string): Promise<Response> {
    return responseOf(await this.#parts.requests.await('awaitResponse', id)) as Response;
  }

  /** All outcomes that nobody has taken yet, by id, when every request to this service has one. */
  async awaitAllResponses(): Promise<Map<string, Settled<Response>>> {
    return (await this.#parts.requests.awaitAll(this.name)) as Map<string, Settled<Response>>;
  }

  /** Asks the service about itself; it answers without its handler, and the question is not counted. Rejects as `request`. */
  info(options: RequestOptions = {}): Promise<ServiceInfo> {
    return this.#parts.requests.info(this.name, options) as Promise<ServiceInfo>;
  }

  /** Sends a plain message. See `Client.sendMessage`. */
  sendMessage(content: unknown): Promise<void> {
    return this.#parts.client.sendMessage(this.name, content);
  }

  /** Asks the service to end, and resolves when it has left. Rejects with `IPCM_TIMEOUT`. */
  async terminate(options: WaitOptions = {}): Promise<void> {
    const { client } = this.#parts;
    if (!(await client.peerActive(this.name))) return;
    const gone = client.waitForPeersGone(this.name, options);
    const told = client.sendMessage(this.name, { terminate: 1 }).catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
    // One that is stopped may have no room for the message, and would be waited for without end.
    await Promise.race([gone, told.then(() => gone)]);
  }
}

function responseOf(settled: Settled): unknown {
  if ('error' in settled) throw settled.error;
  return settled.response;
}
