/**
 * Notices that a peer will not answer any more, so that a request does not wait for its deadline, or for ever.
 *
 * While requests are open, each peer of theirs is looked at from time to time, and when the store hints that somebody came
 * or went. A request is lost when nobody holds the name, when its holder is dead, or when it started after the request was
 * sent. A suspended peer may come back and answer; a stopped or busy one lives. Before a request is given up everything that
 * has arrived is read: an answer that was sent before the end of its sender counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import { IpcError, quote, type ErrorCode } from '../errors.ts';
import { formatIdentity, ownIdentity } from '../liveness/identity.ts';
import type { PeerEntry } from '../protocol/protocol.ts';

/** A request without an outcome. */
export interface WatchedRequest {
  readonly id: string;
  readonly peer: string;
  /** When it was sent, in clock ticks since boot. */
  readonly sent: number;
}

/** What the watch needs. */
export interface PeerWatchPort {
  readonly client: Client;
  open(): Iterable<WatchedRequest>;
  catchUp(): Promise<void>;
  fail(request: WatchedRequest, error: IpcError): void;
}

/**
 * Milliseconds before the first look: answers that come sooner cost nothing, and whoever may take the name of the one that
 * was asked needs longer to start.
 */
const firstLook = 5;
/** Milliseconds between two looks. */
const interval = 40;
/** The same where a look is a query that a server has to answer. */
const remoteInterval = 250;
/** Milliseconds that an answer may be under way between the kernel and us when its sender has gone. */
const underWay = 10;
/** Ticks of 10 ms by which the start of a process and the time of a request may be off. */
const tolerance = 3;

/** What was seen of a peer. */
interface Seen {
  readonly identity: string | undefined;
  readonly expiresAt: number | undefined;
}

/** Watches the peers of open requests. */
export class PeerWatch {
  readonly #port: PeerWatchPort;
  readonly #interval: number;
  readonly #seen = new Map<string, Seen>();
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
    this.#seen.clear();
  }

  /** Ends the watch for good. */
  close(): void {
    this.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #first(): void {
    this.#timer = undefined;
    if (!this.#active) return;
    this.#timer = setTimeout(() => this.#tick(), this.#interval).unref();
    this.#look();
  }

  #tick(): void {
    if (!this.#active) {
      this.close();
      return;
    }
    this.#timer?.refresh();
    this.#unwatch ??= this.#port.client.watchPeers(() => this.#look());
    this.#look();
  }

  /** Looks now: somebody has a reason to think that a peer has gone. */
  look(): void {
    this.#look();
  }

  #look(): void {
    if (!this.#active) return;
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    this.#lookAtAll().then(
      () => (this.#looking = false),
      (error: unknown) => {
        this.#looking = false;
        // The store is gone, or this client has left: nothing can be answered any more.
        const cause = error instanceof Error ? error.message : String(error);
        for (const request of this.#port.open()) {
          this.#port.fail(request, this.#error(request, 'IPCM_PEER_GONE', `cannot be asked about: ${cause}`, error));
        }
      },
    );
  }

  async #lookAtAll(): Promise<void> {
    const lost: { readonly request: WatchedRequest; readonly error: IpcError }[] = [];
    while (this.#again) {
      this.#again = false;
      for (const [peer, ofPeer] of groupByPeer(this.#port.open())) {
        const entry = await this.#port.client.peer(peer);
        const seen = this.#seen.get(peer);
        for (const request of ofPeer) {
          const error = this.#judge(request, entry, seen);
          if (error !== undefined) lost.push({ request, error });
        }
        this.#remember(peer, entry);
      }
    }
    if (lost.length === 0) return;
    await this.#port.catchUp();
    await sleep(underWay);
    await this.#port.catchUp();
    for (const { request, error } of lost) this.#port.fail(request, error);
  }

  /** Why a request will not be answered, if so. */
  #judge(request: WatchedRequest, entry: PeerEntry | undefined, seen: Seen | undefined): IpcError | undefined {
    if (entry === undefined || entry.state === 'dead') {
      const deadline = seen?.identity === undefined ? (entry?.expiresAt ?? seen?.expiresAt) : undefined;
      if (deadline !== undefined && deadline <= Date.now() / 1000) {
        return this.#error(request, 'IPCM_PEER_EXPIRED', 'was suspended and has not come back before its deadline');
      }
      return this.#error(request, 'IPCM_PEER_GONE', 'ended, or was killed, before it answered');
    }
    const { identity } = entry;
    if (identity === undefined) return undefined;
    const replaced = seen?.identity !== undefined && seen.identity !== formatIdentity(identity);
    const younger =
      identity.start !== undefined && Number(identity.start) > request.sent + tolerance && this.#isOurs(entry);
    // One that was suspended when the request was sent finds it when it comes back.
    if (!replaced && !(younger && !this.#port.client.protocol.capabilities.suspend)) return undefined;
    return this.#error(request, 'IPCM_PEER_GONE', 'ended before it answered; another process has taken its name since');
  }

  /** Start times of another boot, or another machine, tell nothing. */
  #isOurs({ identity }: PeerEntry): boolean {
    return identity?.boot !== undefined && identity.boot === ownIdentity().boot;
  }

  #remember(peer: string, entry: PeerEntry | undefined): void {
    const identity = entry?.identity === undefined ? undefined : formatIdentity(entry.identity);
    this.#seen.set(peer, { identity, expiresAt: entry?.expiresAt });
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

function groupByPeer(requests: Iterable<WatchedRequest>): Map<string, WatchedRequest[]> {
  const groups = new Map<string, WatchedRequest[]>();
  for (const request of requests) {
    const group = groups.get(request.peer);
    if (group === undefined) groups.set(request.peer, [request]);
    else group.push(request);
  }
  return groups;
}
