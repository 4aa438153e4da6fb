/**
 * Notices that a peer will not answer any more, so that a request does not wait for its deadline, or for ever.
 *
 * While requests are open, each peer of theirs is looked at from time to time, and when the store hints that somebody came
 * or went. A request is lost when nobody holds the name, when its holder is dead, or when it was delivered to another inbox
 * than the one that stands under the name now. A suspended peer may come back and answer, in another process too; a stopped or
 * busy one lives. Before a request is given up everything that has arrived is read: an answer that was sent before the end of
 * its sender counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import { IpcError, isIpcError, quote, type ErrorCode } from '../errors.ts';
import { formatIdentity, ownIdentity } from '../liveness/identity.ts';
import type { PeerEntry } from '../protocol/protocol.ts';

/** A request without an outcome. */
export interface WatchedRequest {
  readonly id: string;
  readonly peer: string;
  /** When it was certainly delivered, by the `monotonic` clock; undefined while it is on its way. */
  readonly delivered: number | undefined;
  /** For the watch alone: what it has seen of the peer since. */
  seen: Seen | undefined;
}

/** What the watch needs. */
export interface PeerWatchPort {
  readonly client: Client;
  open(): Iterable<WatchedRequest>;
  catchUp(): Promise<void>;
  fail(request: WatchedRequest, error: IpcError): void;
}

/** Milliseconds before the first look: answers that come sooner cost nothing. */
const firstLook = 5;
/** Milliseconds between two looks. */
const interval = 40;
/** The same where a look is a query that a server has to answer. */
const remoteInterval = 250;
/** Milliseconds that an answer may be under way between the kernel and us when its sender has gone. */
const underWay = 10;

/** What was seen of a peer. */
interface Seen {
  /** Who held the name first, and the inbox that it had. */
  identity: string | undefined;
  since: number | undefined;
  /** Deadline of its suspension, if it was suspended when it was seen last. */
  expiresAt: number | undefined;
}

/** Watches the peers of open requests. */
export class PeerWatch {
  readonly #port: PeerWatchPort;
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;
  #looking = false;
  #again = false;
  #active = false;

  constructor(port: PeerWatchPort) {
    this.#port = port;
    const { wakeUp } = port.client.protocol.capabilities;
    this.#interval = wakeUp === 'notify' || wakeUp === 'poll' ? remoteInterval : interval;
  }

  /** There is an open request. */
  start(): void {
    if (this.#active) return;
    this.#active = true;
    // One timer for all: most requests are answered before it runs, and making one costs more than that.
    this.#timer ??= setTimeout(() => this.#first(), firstLook).unref();
  }

  /** There is none any more. */
  stop(): void {
    this.#active = false;
  }

  /** Ends the watch for good. */
  close(): void {
    this.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Looks now, or once more after the look that is being taken. */
  look(): void {
    if (!this.#active) return;
    this.#again = this.#looking;
    if (this.#looking) return;
    this.#looking = true;
    void this.#lookAtAll()
      .catch((error: unknown) => this.#failed(error))
      .then(() => {
        this.#looking = false;
        if (this.#again) this.look();
      });
  }

  #first(): void {
    this.#timer = undefined;
    if (!this.#active) return;
    this.#timer = setTimeout(() => this.#tick(), this.#interval).unref();
    this.look();
  }

  #tick(): void {
    if (!this.#active) {
      this.close();
      return;
    }
    this.#timer?.refresh();
    try {
      this.#unwatch ??= this.#port.client.watchPeers(() => this.look());
    } catch {
      // A hint less: why that is finds out who looks.
    }
    this.look();
  }

  async #lookAtAll(): Promise<void> {
    const lost: { readonly request: WatchedRequest; readonly error: IpcError }[] = [];
    for (const [peer, requests] of groupByPeer(this.#port.open())) {
      // What is on its way now may reach another than the one who is seen.
      const delivered = new Set(requests.filter((request) => request.delivered !== undefined));
      const entry = await this.#find(peer);
      if (entry === 'unknown') continue;
      for (const request of requests) {
        const error = this.#judge(request, entry, delivered.has(request));
        if (error !== undefined) lost.push({ request, error });
      }
    }
    if (lost.length === 0) return;
    await this.#port.catchUp();
    await sleep(underWay);
    await this.#port.catchUp();
    for (const { request, error } of lost) this.#port.fail(request, error);
  }

  /** Who holds a name; rejects when nobody can be asked any more. */
  async #find(peer: string): Promise<PeerEntry | undefined | 'unknown'> {
    try {
      return await this.#port.client.peer(peer);
    } catch (error) {
      if (isFinal(error)) throw error;
      // Too many files open, a server that is away: it tells nothing of the peer, and the next look comes soon.
      return 'unknown';
    }
  }

  #failed(error: unknown): void {
    // Whoever could not be judged, or was not given up, is looked at again.
    if (!isFinal(error)) return;
    // The store is gone, or this client has left: nothing can be answered any more.
    const open = [...this.#port.open()];
    for (const request of open) {
      this.#port.fail(
        request,
        this.#error(request, 'IPCM_PEER_GONE', `cannot be asked about: ${error.message}`, error),
      );
    }
  }

  /** Why a request will not be answered, if so. */
  #judge(request: WatchedRequest, entry: PeerEntry | undefined, isDelivered: boolean): IpcError | undefined {
    const { seen } = request;
    if (entry === undefined || entry.state === 'dead') {
      const deadline = entry?.expiresAt ?? seen?.expiresAt;
      if (deadline !== undefined && deadline <= Date.now() / 1000) {
        return this.#error(request, 'IPCM_PEER_EXPIRED', 'was suspended and has not come back before its deadline');
      }
      return this.#error(request, 'IPCM_PEER_GONE', 'ended, or was killed, before it answered');
    }
    if (!isDelivered) return undefined;
    if (this.#isReplaced(request, entry)) {
      return this.#error(request, 'IPCM_PEER_GONE', 'ended before it answered; its name has been taken anew since');
    }
    const { identity, since, expiresAt } = entry;
    if (seen === undefined) {
      request.seen = { identity: identity && formatIdentity(identity), since, expiresAt };
    } else {
      seen.identity ??= identity && formatIdentity(identity);
      seen.since ??= since;
      seen.expiresAt = expiresAt;
    }
    return undefined;
  }

  /** True when the inbox that it was delivered to is not there any more. */
  #isReplaced({ delivered, seen }: WatchedRequest, { identity, since }: PeerEntry): boolean {
    if (since !== undefined) {
      if (seen?.since !== undefined && seen.since !== since) return true;
      if (delivered !== undefined && since > delivered && hasOurClock(identity)) return true;
    }
    // Where it may have been suspended in between another process has come back to the same inbox.
    if (identity === undefined || this.#port.client.protocol.capabilities.suspend) return false;
    return seen?.identity !== undefined && seen.identity !== formatIdentity(identity);
  }

  #error({ peer }: WatchedRequest, code: ErrorCode, why: string, cause?: unknown): IpcError {
    const { id } = this.#port.client;
    return new IpcError(code, `a request from "${id}" was not answered: ${quote(peer)} ${why}`, {
      client: id,
      peer,
      cause,
    });
  }
}

/** True when nothing can be looked at from now on. */
function isFinal(error: unknown): error is IpcError {
  return isIpcError(error, 'IPCM_STORE_MISSING') || isIpcError(error, 'IPCM_NOT_CONNECTED');
}

/** True when a process dates its inbox by the clock that we have: containers may have one of their own. */
function hasOurClock(identity: PeerEntry['identity']): boolean {
  const { boot, namespace } = ownIdentity();
  return boot !== undefined && identity?.boot === boot && identity.namespace === namespace;
}

function groupByPeer(requests: Iterable<WatchedRequest>): Map<string, WatchedRequest[]> {
  const groups = new Map<string, WatchedRequest[]>();
  for (const request of requests) {
    const group = groups.get(request.peer);
    if (group === undefined) groups.set(request.peer, [request]);
    else group.push(request);
  }
  return groups;
}
