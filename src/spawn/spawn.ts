/**
 * An initialised store: its info, its clients, its end.
 *
 * A shutdown is terminate (signal first, if one is set), wait, reap, sanity check, removal. Every step is bounded, and one
 * that fails does not keep the next from being taken; what went wrong is thrown at the end, when nothing is left behind. It
 * is the whole public face of a store, and the one place that knows the order of its end.
 */
import { Client } from '../client/client.ts';
import { connectClient } from '../client/connect.ts';
import { willLeave } from '../client/local-clients.ts';
import type { ClientOptions } from '../client/options.ts';
import { isHere } from '../client/peers.ts';
import { waitFor } from '../client/wait-for.ts';
import { deadlineOf, type WaitOptions } from '../client/arrival.ts';
import { IpcError, isIpcError, quote, systemCode } from '../errors.ts';
import { isOfThisHost } from '../liveness/alive.ts';
import { ownIdentity } from '../liveness/identity.ts';
import type { PeerEntry, Protocol, Reaped, Store } from '../protocol/protocol.ts';
import type { Serializer } from '../serializers/serializer.ts';
import { cleave, leaveToKeeper, type CleaveOptions, type Keeper } from './cleave.ts';
import { formatInfo } from './connection-info.ts';
import { holdAccess } from './held-access.ts';
import { guard, release, shutdownOnSignals, type Guarded } from './guard.ts';
import { assertSane, sanityDelta, type SanityDelta } from './sanity.ts';

/** How a shutdown goes. */
export interface ShutdownOptions extends WaitOptions {
  /** Milliseconds to wait for the clients to leave. Default 60,000. */
  readonly timeout?: number | undefined;
  /** Compare messages sent and read before the store is removed. Default: as given to `ipcmSpawn`, or true. */
  readonly sanityCheck?: boolean | undefined;
}

/** What a shutdown found. */
export interface ShutdownReport {
  /** What did not add up; undefined when the sanity check was off or the store was gone already. */
  readonly delta: SanityDelta | undefined;
  /** Clients that were still connected when the wait was over. */
  readonly remaining: readonly PeerEntry[];
  /** Clients that had died. */
  readonly reaped: readonly Reaped[];
  /** What this process's own clients had to say when the shutdown disconnected them, such as messages unread. */
  readonly clientErrors: readonly unknown[];
}

/** Parts of a spawn; made by `ipcmSpawn`. */
export interface SpawnParts {
  readonly protocol: Protocol;
  /** The protocol element of the connection info. */
  readonly protocolName: string;
  readonly serializer: Serializer;
  readonly store: Store;
  readonly guard: boolean;
  readonly signal: NodeJS.Signals | undefined;
  readonly sanityCheck: boolean;
  readonly handleSignals: boolean;
  readonly clientOptions: ClientOptions;
  readonly debug: (line: string) => void;
}

/** Name of the client that the bus itself uses for its shutdown, as in the reference implementation. */
const controllerName = 'spawn';
/** Milliseconds that the outboxes of this process's clients have to drain when the time is over. */
const lastMoment = 1000;

/** Which clients of this process are to leave. */
interface Departure {
  /** The bus's own, which is to tell the others. */
  readonly except?: string | undefined;
  /** Those too that are in the middle of a loop, and services. */
  readonly all?: boolean;
  /** Milliseconds for what is in their outboxes. */
  readonly within: number;
}

/** Milliseconds that a shutdown waits for clients unless told otherwise. */
const defaultWait = 60_000;

/** An initialised store. Made by `ipcmSpawn`; its string form is the connection info. */
export class Spawn implements Guarded {
  readonly protocol: Protocol;
  readonly serializer: Serializer;
  /** Where the store is. */
  readonly route: string;
  /** Signal sent at shutdown to every process of this machine that is known to be a client's. */
  readonly signal: NodeJS.Signals | undefined;
  /** The process that made the store. */
  readonly pid: number = process.pid;
  /** Whatever should live as long as the store, by name; the bus itself does not look at it. */
  readonly stash = new Map<string, unknown>();
  readonly #parts: SpawnParts;
  readonly #stopSignals: (() => void) | undefined;
  #ended: Promise<ShutdownReport> | undefined;
  #removed = false;
  #guard: boolean;

  /** Not for callers: use `ipcmSpawn`. */
  constructor(parts: SpawnParts) {
    this.#parts = parts;
    this.protocol = parts.protocol;
    this.serializer = parts.serializer;
    this.route = parts.store.route;
    this.#guard = parts.guard;
    holdAccess(this, parts.clientOptions);
    this.signal = parts.signal;
    if (parts.guard) guard(this);
    this.#stopSignals = parts.handleSignals ? shutdownOnSignals(this) : undefined;
  }

  /** True when the store goes with this object and this process. */
  get guard(): boolean {
    return this.#guard;
  }

  /** The connection info: give this string to any process that shall take part. */
  get info(): string {
    return formatInfo([this.#parts.protocolName, this.serializer.spec, this.route]);
  }

  toString(): string {
    return this.info;
  }

  toJSON(): string {
    return this.info;
  }

  /** Connects a client; as `ipcmConnect(name, spawn.info, options)`. */
  connect(name: string, options: ClientOptions = {}): Promise<Client> {
    return connectClient('connect', name, this, { ...this.#parts.clientOptions, ...options });
  }

  /** Reconnects a suspended client; as `ipcmReconnect(name, spawn.info, options)`. */
  reconnect(name: string, options: ClientOptions = {}): Promise<Client> {
    return connectClient('reconnect', name, this, { ...this.#parts.clientOptions, ...options });
  }

  /**
   * Asks every client to end: the signal, if one is set, to each process of this machine but this one, then a terminate message
   * to each client. Resolves to the names of those who got the message.
   */
  async terminate(): Promise<string[]> {
    return this.#withController(await this.#connectController(), (controller) => this.#terminate(controller));
  }

  /**
   * Waits until all clients have left, disconnecting those of this process that nobody reads from. Resolves to those
   * still there when `timeout` milliseconds (default 60,000) are over.
   */
  async wait(options: WaitOptions = {}): Promise<readonly PeerEntry[]> {
    return this.#wait(undefined, options, []);
  }

  /** What does not add up between messages sent and read; meaningful once all clients have disconnected. */
  async sanityDelta(): Promise<SanityDelta> {
    return sanityDelta(this.#parts.store, undefined);
  }

  /** Throws `IPCM_SANITY_MISMATCH`, naming senders, receivers and messages, when something does not add up. */
  async sanityCheck(): Promise<void> {
    assertSane(await this.sanityDelta(), this.route);
  }

  /**
   * Hands the store over to a new process of its own, detached from this one, which may end then: the store stays until the
   * new owner gets SIGTERM, or nobody has been connected for `idleTimeout`, or somebody removes it. A guarded store is then
   * shut down as by {@link shutdown}. This object can still be used, and does not remove the store any more.
   *
   * Rejects with `IPCM_NOT_SUPPORTED` for a store within this process, `IPCM_SERVICE_FAILED`, `IPCM_TIMEOUT`.
   */
  async cleave(options: CleaveOptions = {}): Promise<Keeper> {
    const { info, guard, signal } = this;
    const keeper = await cleave({ ...this.#parts, info, guard, signal }, options);
    this.#forget();
    this.#guard = false;
    return keeper;
  }

  /** Removes the store at once, whoever is connected. Doing it twice is fine. */
  async unspawn(): Promise<void> {
    if (this.#removed) return;
    try {
      await this.#parts.store.remove();
      this.#removed = true;
      this.#forget();
    } finally {
      await this.#parts.store.close();
    }
  }

  /**
   * Ends the bus and removes the store, guarded or not. Resolves to a report; rejects, with everything removed all the
   * same, with `IPCM_SHUTDOWN_INCOMPLETE` if clients were still there at the end of the wait, or `IPCM_SANITY_MISMATCH`.
   * A second call gives the same answer.
   */
  shutdown(options: ShutdownOptions = {}): Promise<ShutdownReport> {
    this.#ended ??= this.#shutdown(options);
    return this.#ended;
  }

  /** Leaving the scope of `await using`: shuts a guarded store down, and leaves any other as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.guard) {
      await this.shutdown();
      return;
    }
    this.#forget();
    await this.#parts.store.close();
  }

  /** What process exit does with a guarded store: removes it, or has another process do so. Never throws. */
  removeSync(): void {
    if (this.#removed) return;
    this.#removed = true;
    if (!this.#parts.store.removeSync()) leaveToKeeper({ ...this.#parts, info: this.info, guard: true });
  }

  #forget(): void {
    release(this);
    this.#stopSignals?.();
  }

  async #shutdown(options: ShutdownOptions): Promise<ShutdownReport> {
    const { store, debug } = this.#parts;
    const clientErrors: unknown[] = [];
    let delta: SanityDelta | undefined;
    let remaining: readonly PeerEntry[] = [];
    let reaped: readonly Reaped[] = [];
    try {
      await this.#withController(await this.#controllerFor(options, clientErrors), async (controller) => {
        // Beside the wait: one that is stopped may have no room for the message. Why the store cannot be asked the wait hears too.
        this.#terminate(controller).then(
          (told) => debug(`terminate sent to ${told.length} clients`),
          () => undefined,
        );
        remaining = await this.#wait(controller.id, options, clientErrors);
        reaped = await store.reap();
        if (options.sanityCheck ?? this.#parts.sanityCheck) delta = await sanityDelta(store, controller.id);
      });
    } catch (error) {
      // Whatever went wrong, no client of this process keeps what it has open.
      await this.#disconnectLocal({ all: true, within: lastMoment }, clientErrors);
      // Somebody removed the store before us: nothing is left to be torn down or counted.
      if (!isIpcError(error, 'IPCM_STORE_MISSING')) throw error;
      debug(`the store is gone: ${error.message}`);
    } finally {
      await this.unspawn();
    }
    const cause = clientErrors.length > 1 ? new AggregateError(clientErrors) : clientErrors[0];
    if (remaining.length > 0) throw this.#incomplete(remaining, cause);
    if (delta !== undefined) assertSane(delta, this.route, cause);
    return { delta, remaining, reaped, clientErrors };
  }

  #incomplete(remaining: readonly PeerEntry[], cause: unknown): IpcError {
    const who = remaining.map(({ name, identity }) => `${quote(name)} (pid ${identity?.pid ?? 'unknown'})`).join(', ');
    return new IpcError(
      'IPCM_SHUTDOWN_INCOMPLETE',
      `shutdown: ${who} did not disconnect after the terminate message; the store has been removed under them. ` +
        'Let clients end at a terminate message, set a signal, or raise the timeout',
      { protocol: this.protocol.name, route: this.route, details: { remaining }, cause },
    );
  }

  async #withController<T>(controller: Client, work: (controller: Client) => Promise<T>): Promise<T> {
    try {
      return await work(controller);
    } finally {
      // Answers to the terminate message are nobody's to read, who has not taken it by now is told of as remaining, and its own
      // counts, for which a full store has no room, are left out of every sum.
      await controller
        .disconnect(() => undefined)
        .catch((error: unknown) => this.#parts.debug(`the shutdown's own client has left: ${String(error)}`));
    }
  }

  /** For a shutdown: a full store, or a process without descriptors, has room for it once the clients of this process have left. */
  async #controllerFor({ timeout = defaultWait }: WaitOptions, clientErrors: unknown[]): Promise<Client> {
    try {
      return await this.#connectController();
    } catch (error) {
      if (!hasNoRoom(error)) throw error;
      this.#parts.debug(`first the clients of this process: ${String(error)}`);
      await this.#disconnectLocal({ within: timeout }, clientErrors);
      return this.#connectController();
    }
  }

  async #connectController(): Promise<Client> {
    const options = { ack: false, drainTimeout: 1 };
    try {
      return await this.connect(controllerName, options);
    } catch (error) {
      if (!isIpcError(error, 'IPCM_NAME_TAKEN')) throw error;
      return this.connect(`${controllerName}-${process.pid}-${Date.now().toString(36)}`, options);
    }
  }

  async #terminate(controller: Client): Promise<string[]> {
    const peers = (await this.#parts.store.peers()).filter(({ name }) => name !== controller.id);
    if (this.signal !== undefined) {
      const own = ownIdentity();
      for (const { identity, state } of peers) {
        // Of another host, or another container, the number is that of somebody else here.
        const known = state === 'active' && identity !== undefined && isOfThisHost(identity, own);
        if (known && identity.pid !== own.pid) this.#signal(identity.pid, this.signal);
      }
    }
    const outcomes = await controller.broadcast({ terminate: 1 });
    return [...outcomes].filter(([, { sent }]) => sent).map(([peer]) => peer);
  }

  #signal(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // Ended meanwhile, or somebody else's: the terminate message and the wait deal with it.
      this.#parts.debug(`signal ${signal} did not reach pid ${pid}: ${String(error)}`);
    }
  }

  async #wait(
    controller: string | undefined,
    options: WaitOptions,
    clientErrors: unknown[],
  ): Promise<readonly PeerEntry[]> {
    const { store, debug } = this.#parts;
    const timeout = options.timeout ?? defaultWait;
    const deadline = deadlineOf(timeout);
    let left: readonly PeerEntry[] = [];
    let said = '';
    const allGone = async (): Promise<boolean> => {
      await this.#disconnectLocal({ except: controller, within: deadline - performance.now() }, clientErrors);
      left = (await store.peers()).filter((peer) => isHere(peer) && peer.name !== controller);
      const names = left.map(({ name }) => name).join(', ');
      if (names !== said) debug(`waiting for clients to go away: ${(said = names)}`);
      return left.length === 0;
    };
    if (await waitFor(allGone, (wake) => store.watchPeers(wake), { ...options, timeout })) return [];
    await this.#disconnectLocal({ except: controller, all: true, within: lastMoment }, clientErrors);
    return left.filter(({ identity }) => identity?.pid !== process.pid);
  }

  /** Clients of this process would be waited for by themselves; those in the middle of a loop, and services, may end first. */
  async #disconnectLocal({ except, all = false, within }: Departure, errors: unknown[]): Promise<void> {
    const clients = Client.localClients(this.route).filter(
      (client) => client.id !== except && (all || !(client.reading || willLeave(client))),
    );
    const leaving = clients.map((client) => client.disconnectWithin(Math.max(lastMoment, within)));
    for (const outcome of await Promise.allSettled(leaving)) {
      if (outcome.status === 'rejected') errors.push(outcome.reason);
    }
  }
}

/** True for a store that is full, and where this process, or the system, has no descriptor left. */
function hasNoRoom(error: unknown): boolean {
  if (!isIpcError(error)) return false;
  const code = systemCode(error.cause) ?? '';
  return error.code === 'IPCM_STORE_FULL' || code === 'EMFILE' || code === 'ENFILE';
}
