/**
 * One named participant of a bus.
 *
 * States: connected; leaving, while a disconnect or suspend drains; then disconnected or suspended, for good: coming back
 * is a new client by `ipcmReconnect`. Every public method checks state and arguments here, then asks the protocol's
 * connection, which gets exact arguments only. Sending lives in the outboxes, waiting in `Arrival`, decoding in `Inbox`;
 * this file is longer than most since it is the whole public face of a client.
 */
import { EventEmitter } from 'node:events';
import { reaping } from '../diagnostics/channels.ts';
import { IpcError, isIpcError, quote, warn } from '../errors.ts';
import { checkContent } from '../message/content.ts';
import { Message } from '../message/message.ts';
import type { LinkInfo, Links } from '../protocol/links.ts';
import type { Connection, PeerEntry, Protocol, Reaped, Store } from '../protocol/protocol.ts';
import { count, type Stats } from '../protocol/stats.ts';
import type { Serializer } from '../serializers/serializer.ts';
import { fieldsOf, messageOf, type BroadcastArguments, type SendArguments } from './arguments.ts';
import { longestTimer, type WaitOptions } from './arrival.ts';
import { leave, type LeaveOptions } from './leave.ts';
import { clientsOn, registerClient, unregisterClient } from './local-clients.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Packet } from './packet.ts';
import { findPeer, isPresent, peerNames, peersTimeout, waitForPeers } from './peers.ts';
import { Reader, type GetWait, type IterateOptions } from './reader.ts';
import { Sender } from './sender.ts';
import { expiry, type SuspendOptions } from './suspension.ts';
import { waitFor } from './wait-for.ts';

/** What became of a message that was tried: sent, or the reason why not. */
export type SendResult = { readonly sent: true } | { readonly sent: false; readonly error: IpcError };

/** How `getMessages` reads. */
export interface GetOptions extends GetWait {
  /**
   * Messages at most. Default 4096: a larger backlog comes in several calls, so that memory stays bounded. From a database a
   * call brings no more than that, whatever the limit.
   */
  readonly limit?: number | undefined;
}

/** What `drain` waits for. */
export interface DrainOptions extends WaitOptions {
  /** The only peer whose outbox matters. */
  readonly peer?: string | undefined;
}

/** Gets the messages that still waited when a client disconnected, oldest first; may be called several times. */
export type UnreadHandler = (messages: Message[]) => void | Promise<void>;

/** Counts per peer, a snapshot. */
export interface ClientStats {
  readonly sent: ReadonlyMap<string, number>;
  readonly read: ReadonlyMap<string, number>;
}

/**
 * Events of a client and what their listeners get. A listener of `rejected` or `reaped` that throws is an uncaught exception: it
 * is called in the midst of a read or a send, which goes on.
 */
export interface ClientEvents {
  /** Something arrived that was no message, or over the limit. With no listener it becomes a process warning. */
  rejected: [error: IpcError];
  /** This client met a dead peer and removed what it left. */
  reaped: [peer: Reaped];
  /** A message that `trySendMessage` had accepted could not be sent after all. With no listener: a process warning. */
  undelivered: [error: IpcError, message: Message];
  /** The client is disconnected or suspended. */
  close: [];
}

/** Parts that a client is made of; put together by `connectClient`. */
export interface ClientParts {
  readonly id: string;
  readonly protocol: Protocol;
  readonly serializer: Serializer;
  readonly store: Store;
  readonly connection: Connection;
  readonly options: ResolvedClientOptions;
  /** Counts of earlier lives of the name, to go on from. */
  readonly stats: Stats;
}

/** Messages that `getMessages` returns at most unless told otherwise. */
const defaultLimit = 4096;

/** A connected client. Made by `ipcmConnect`, `ipcmReconnect` or `Spawn.connect`. */
export class Client extends EventEmitter<ClientEvents> {
  /** Its name on the bus. */
  readonly id: string;
  /** The protocol it speaks. */
  readonly protocol: Protocol;
  /** The serializer of the bus. */
  readonly serializer: Serializer;
  /** The process that connected; a client cannot be used from another. */
  readonly pid: number = process.pid;
  readonly #parts: ClientParts;
  readonly #sender: Sender;
  readonly #reader: Reader;
  #state: 'connected' | 'leaving' | 'suspended' | 'disconnected' = 'connected';
  #left: Promise<void> | undefined;
  /** Once it is leaving: cuts the time that the outboxes have short. */
  #hurry: AbortController | undefined;

  /** Not for callers: use `ipcmConnect`. */
  constructor(parts: ClientParts) {
    super();
    this.id = parts.id;
    this.protocol = parts.protocol;
    this.serializer = parts.serializer;
    this.#parts = parts;
    this.#sender = new Sender(parts);
    this.#reader = new Reader({
      ...parts,
      limit: parts.options.maxMessageBytes,
      rejected: (error) => this.onRejected(error),
    });
    registerClient(this);
  }

  /** The route of the store. */
  get route(): string {
    return this.#parts.store.route;
  }

  /** `connected`, `leaving` while it drains, then `suspended` or `disconnected`. */
  get state(): 'connected' | 'leaving' | 'suspended' | 'disconnected' {
    return this.#state;
  }

  /** True once it has been disconnected or suspended. */
  get disconnected(): boolean {
    return this.#state === 'disconnected' || this.#state === 'suspended';
  }

  /** Messages sent to and read from each peer so far, in this life of the name and those before it. */
  get stats(): ClientStats {
    const { sent, read } = this.#parts.stats;
    return { sent: new Map(sent), read: new Map(read) };
  }

  /** True while a loop over `messages()` or a waiting `getMessages` is open. */
  get reading(): boolean {
    return this.#reader.busy;
  }

  /** The clients of this process that are connected to a route. */
  static localClients(route: string): Client[] {
    return clientsOn(route).filter((client) => client instanceof Client);
  }

  // ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a message. Resolves when the store or the kernel has it: from then on it arrives even if this process exits.
   * Order per receiver is the order of the calls, awaited or not.
   *
   * Rejects with `IPCM_PEER_UNKNOWN`, `IPCM_PEER_GONE`, `IPCM_MESSAGE_TOO_LARGE`, `IPCM_INVALID_CONTENT`,
   * `IPCM_INVALID_NAME`, `IPCM_OUTBOX_FULL`, `IPCM_STORE_FULL`, `IPCM_STORE_MISSING`, `IPCM_NOT_CONNECTED`,
   * `IPCM_UNDELIVERED`.
   */
  sendMessage(...args: SendArguments): Promise<void> {
    try {
      const [to, content] = args;
      if (args.length === 2 && typeof to === 'string') {
        this.#connected('sendMessage');
        const sent = this.#sender.sendContent(to, content);
        if (sent !== undefined) return sent;
      }
      return this.#sender.send(this.buildMessage(...args));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * Not for callers: `sendMessage` for who sends very many, and is told what came of it by functions, perhaps within this call:
   * the promises would cost a tenth of a request.
   */
  post(to: string, content: unknown, sent: () => void, failed: (error: unknown) => void): void {
    try {
      this.#connected('sendMessage');
      if (this.#sender.post(to, content, sent, failed)) return;
    } catch (error) {
      failed(error);
      return;
    }
    this.sendMessage(to, content).then(sent, failed);
  }

  /** As {@link sendMessage}, but resolves to the outcome instead of rejecting: `{sent: false, error}`. */
  async tryMessage(...args: SendArguments): Promise<SendResult> {
    try {
      await this.sendMessage(...args);
      return { sent: true };
    } catch (error) {
      if (isIpcError(error)) return { sent: false, error };
      throw error;
    }
  }

  /**
   * Sends without ever waiting: true when the message was sent or fits into the peer's outbox below the high-water mark,
   * false when it does not; then nothing was queued, and `drain()` tells when to try again. Throws what `sendMessage`
   * would reject with before sending; what goes wrong later is the event `undelivered`.
   */
  trySendMessage(...args: SendArguments): boolean {
    const message = this.buildMessage(...args);
    const sent = this.#sender.offer(message);
    if (sent === undefined) return false;
    sent.catch((error: unknown) => {
      if (!isIpcError(error)) throw error;
      if (!this.emit('undelivered', error, message)) warn(error);
    });
    return true;
  }

  /**
   * Sends a copy, with its own id, to every peer but this client. Resolves to the outcome per peer; rejects only for
   * content that cannot be sent at all, and when the store is gone.
   */
  async broadcast(...args: BroadcastArguments): Promise<Map<string, SendResult>> {
    this.#connected('broadcast');
    const [what, overrides] = args;
    const fields = what instanceof Message ? fieldsOf(what, overrides) : { content: what };
    checkContent(fields.content);
    const peers = await this.peers();
    const outcomes = await Promise.all(
      peers.map((to) => this.tryMessage({ ...fields, id: undefined, to, broadcast: true })),
    );
    const result = new Map<string, SendResult>();
    peers.forEach((peer, index) => {
      const outcome = outcomes[index];
      if (outcome !== undefined) result.set(peer, outcome);
    });
    return result;
  }

  /** The message that `sendMessage` with the same arguments would send. */
  buildMessage(...args: SendArguments): Message {
    this.#connected('sendMessage');
    return messageOf('sendMessage', this.id, args);
  }

  /** Number of messages that wait in the outboxes. */
  get pendingSends(): number {
    return this.#sender.pending;
  }

  /** True while messages wait in an outbox. */
  havePendingSends(): boolean {
    return this.pendingSends > 0;
  }

  /** Resolves when all outboxes are empty, or that of `peer`; rejects with `IPCM_TIMEOUT` after `timeout` milliseconds. */
  async drain(options: DrainOptions = {}): Promise<void> {
    if (await this.#sender.drain(options)) return;
    throw new IpcError('IPCM_TIMEOUT', `drain of "${this.id}": ${this.pendingSends} messages still wait to be sent`, {
      client: this.id,
    });
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The messages that are there now, in each sender's order; none is an empty array. With `timeout` (milliseconds) or
   * `signal` it waits for the first. Rejects with `IPCM_NOT_CONNECTED`, `IPCM_STORE_MISSING`, or the signal's reason.
   */
  async getMessages(options: GetOptions = {}): Promise<Message[]> {
    this.#connected('getMessages');
    const limit = options.limit ?? defaultLimit;
    // Awaited, since an async function that returns a promise takes three turns of the queue to see what came of it.
    if (limit >= 1) return await this.#reader.get(Math.floor(limit), options);
    throw new IpcError('IPCM_INVALID_OPTION', `getMessages: limit is at least 1, not ${quote(options.limit)}`);
  }

  /**
   * The messages as they come, for `for await`. Ends when the client disconnects, when `timeout` milliseconds have passed
   * without a message, and at a terminate message; throws the signal's reason when it aborts. Leaving the loop early
   * loses nothing: what was read and not handed out comes first next time.
   */
  messages(options: IterateOptions = {}): AsyncGenerator<Message, void, void> {
    this.#connected('messages');
    return this.#reader.loop(options);
  }

  /**
   * Calls `handler` with each message, one at a time, until the client disconnects or `signal` aborts: sugar over
   * {@link messages}. Resolves when it has ended; rejects when the handler throws.
   */
  async onMessage(handler: (message: Message) => void | Promise<void>, options: IterateOptions = {}): Promise<void> {
    try {
      this.#connected('messages');
      await this.#reader.each(handler, options);
    } catch (error) {
      if (options.signal?.aborted !== true || error !== options.signal.reason) throw error;
    }
  }

  /** True when `getMessages` would return something. */
  async haveReadyMessages(): Promise<boolean> {
    const connection = this.#connected('haveReadyMessages');
    return this.#reader.inbox.buffered > 0 || connection.ready();
  }

  /** True while a message is on its way to this client and not whole yet, as far as the protocol can tell. */
  async havePendingMessages(): Promise<boolean> {
    return this.#connected('havePendingMessages').pending();
  }

  /**
   * With `ack: true`: says that messages have been dealt with; only then they leave the store. Acknowledging twice is
   * fine. Rejects with `IPCM_NOT_SUPPORTED` on a client that reads without acknowledgement.
   */
  async acknowledge(...messages: Message[]): Promise<void> {
    const connection = this.#connected('acknowledge');
    if (!this.#parts.options.ack) {
      throw new IpcError(
        'IPCM_NOT_SUPPORTED',
        `acknowledge: client "${this.id}" reads without; connect it with {ack: true}`,
        {
          client: this.id,
        },
      );
    }
    await this.#reader.inbox.withReceipts(messages, (receipts) => connection.acknowledge(receipts));
  }

  /** Puts messages back, to be read first, by this client or by the one that reconnects under its name. */
  async requeueMessage(...messages: Message[]): Promise<void> {
    const connection = this.#connected('requeueMessage');
    const { inbox } = this.#reader;
    // What a loop has read ahead goes back behind them: from the buffer it would come first.
    const ahead = inbox.take();
    const all = [...messages, ...ahead];
    const encode = (message: Message): Packet => this.#sender.encode('requeueMessage', message);
    try {
      if (this.#parts.options.ack) await inbox.withReceipts(all, (receipts) => connection.release(receipts));
      else await connection.requeue(all.map(encode));
    } catch (error) {
      inbox.untake(ahead);
      throw error;
    }
    for (const message of messages) count(this.#parts.stats.read, message.from, -1);
    this.#reader.wake();
  }

  // ── Peers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The names of all other clients, suspended ones included, dead ones not; sorted. */
  async peers(): Promise<string[]> {
    this.#connected('peers');
    return peerNames(this.#parts.store, this.id);
  }

  /** True when a peer of that name is there, active or suspended. */
  async peerExists(name: string): Promise<boolean> {
    return isPresent(await this.#peer('peerExists', name));
  }

  /** True when a peer of that name is connected and its process lives; with `timeout` (milliseconds) waits for one. */
  async peerActive(name: string, options: WaitOptions = {}): Promise<boolean> {
    const { store } = this.#parts;
    const active = async (): Promise<boolean> => (await this.#peer('peerActive', name))?.state === 'active';
    if (options.timeout === undefined && options.signal === undefined) return active();
    return waitFor(active, (wake) => store.watchPeers(wake), options);
  }

  /** The process id of an active peer; undefined for everybody else. */
  async peerPid(name: string): Promise<number | undefined> {
    const entry = await this.#peer('peerPid', name);
    return entry?.state === 'active' ? entry.identity?.pid : undefined;
  }

  /** All that the store knows of a peer; undefined for nobody. */
  async peer(name: string): Promise<PeerEntry | undefined> {
    return this.#peer('peer', name);
  }

  /** Calls `wake` when a peer may have come, gone or changed; returns how to stop. Only a hint, and none for a death. */
  watchPeers(wake: () => void): () => void {
    this.#connected('watchPeers');
    return this.#parts.store.watchPeers(wake);
  }

  /** Resolves when all of `names` are active. Rejects with `IPCM_TIMEOUT`, naming who is missing, or the signal's reason. */
  async waitForPeers(names: string | readonly string[], options: WaitOptions = {}): Promise<void> {
    await this.#waitForPeers('waitForPeers', names, true, options);
  }

  /** Resolves when each of `names` is disconnected, suspended or dead, all it had to do done. Rejects as `waitForPeers`. */
  async waitForPeersGone(names: string | readonly string[], options: WaitOptions = {}): Promise<void> {
    await this.#waitForPeers('waitForPeersGone', names, false, options);
  }

  /** Removes what dead peers, and those past their suspension's deadline, left behind. Resolves to who they were. */
  async reap(): Promise<readonly Reaped[]> {
    this.#connected('reap');
    const reaped = await this.#parts.store.reap();
    for (const peer of reaped) this.onReaped(peer);
    return reaped;
  }

  // ── Connections, where the protocol has them (ConnectionUnix); elsewhere IPCM_NOT_SUPPORTED ────────────────────────

  /** True while a message to the peer would go over a connection that is there already. */
  hasConnection(peer: string): boolean {
    return this.#links('hasConnection').hasConnection(peer);
  }

  /** The connections that are open, one for each peer, oldest first. */
  connections(): readonly LinkInfo[] {
    return this.#links('connections').connections();
  }

  /** Names of the peers that anybody can connect to, sorted. */
  async listeningPeers(): Promise<readonly string[]> {
    return this.#links('listeningPeers').listeningPeers();
  }

  /** True when anybody can connect to the peer; false when it only connects to others, or is not there. */
  async peerIsListener(peer: string): Promise<boolean> {
    return this.#links('peerIsListener').peerIsListener(peer);
  }

  /** Ends the connection with a peer; false where there is none. What is under way in either direction still arrives. */
  disconnectConnection(peer: string): boolean {
    return this.#links('disconnectConnection').disconnectConnection(peer);
  }

  /** When bytes last went to or from a peer, in milliseconds since the epoch; undefined without a connection. */
  lastActivity(peer: string): number | undefined {
    return this.#links('lastActivity').lastActivity(peer);
  }

  /** Ends the connections over which nothing went for `idle` milliseconds; returns how many. */
  closeIdleConnections(idle: number): number {
    return this.#links('closeIdleConnections').closeIdleConnections(idle);
  }

  // ── Statistics ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes this client's counts to the store, where `allStats` and the sanity check find them. */
  async writeStats(): Promise<void> {
    await this.#connected('writeStats').writeStats(this.#parts.stats);
  }

  /** The counts that the store holds for this client, as written last; undefined if none were. */
  async readStats(): Promise<ClientStats | undefined> {
    return this.#connected('readStats').readStats();
  }

  /** The counts that each client wrote when it disconnected, suspended, or called `writeStats`. */
  async allStats(): Promise<ReadonlyMap<string, ClientStats>> {
    this.#connected('allStats');
    return this.#parts.store.stats();
  }

  // ── Leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Leaves the bus: drains the outboxes, then gives up the name. Messages still unread go to `handler`, in order; without
   * one it rejects with `IPCM_UNREAD_MESSAGES`, having disconnected all the same. Rejects with `IPCM_UNDELIVERED` when the
   * outboxes did not drain in `drainTimeout`. Calling it twice is fine.
   */
  disconnect(handler?: UnreadHandler): Promise<void> {
    this.#left ??= this.#leave({ handler });
    return this.#left;
  }

  /** Not for callers: disconnects for a shutdown, which has so many milliseconds left, also where it is leaving already. */
  async disconnectWithin(milliseconds: number): Promise<void> {
    const left = this.disconnect();
    const late = setTimeout(() => this.#hurry?.abort(), Math.min(milliseconds, longestTimer));
    try {
      await left;
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * Leaves and keeps the name: what is sent meanwhile waits for `ipcmReconnect`, until the deadline if one is given.
   * Rejects with `IPCM_NOT_SUPPORTED` where the protocol cannot.
   */
  async suspend(options: SuspendOptions = {}): Promise<void> {
    this.#connected('suspend');
    if (!this.protocol.capabilities.suspend) {
      throw new IpcError(
        'IPCM_NOT_SUPPORTED',
        `suspend: clients of ${this.protocol.name} cannot suspend; disconnect, or use a protocol that can, such as MessageFiles`,
        { client: this.id, protocol: this.protocol.name },
      );
    }
    this.#left ??= this.#leave({ suspend: true, expiresAt: expiry(options) });
    return this.#left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /** Leaves at once, as far as synchronous code can: what process exit does. Never throws. */
  closeSync(): void {
    if (this.disconnected) return;
    const { connection, stats } = this.#parts;
    this.#state = 'disconnected';
    this.#reader.close();
    connection.closeSync(stats);
    unregisterClient(this);
  }

  // ── For the parts it is made of ──────────────────────────────────────────────────────────────────────────────────

  /** Not for callers: something arrived that is no message. */
  onRejected(error: IpcError): void {
    this.#apart(() => {
      if (!this.emit('rejected', error)) warn(error);
    });
  }

  /** Not for callers: a dead peer was met and reaped. */
  onReaped(peer: Reaped): void {
    this.#apart(() => this.emit('reaped', peer));
    if (reaping.hasSubscribers) reaping.publish({ client: this.id, peer: peer.name, pid: peer.pid, lost: peer.lost });
  }

  /** What a listener throws must not be thrown at whoever reads or sends just now: messages in hand would be lost with it. */
  #apart(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  /** Asked again and again by those who wait, so that they learn that this client has left. */
  async #peer(call: string, name: string): Promise<PeerEntry | undefined> {
    this.#connected(call);
    return findPeer(this.#parts.store, call, name);
  }

  async #waitForPeers(
    call: string,
    names: string | readonly string[],
    active: boolean,
    options: WaitOptions,
  ): Promise<void> {
    this.#connected(call);
    const open = await waitForPeers(this.#parts.store, (name) => this.#peer(call, name), names, active, options);
    if (open.length > 0) throw peersTimeout(this.id, call, open, options.timeout);
  }

  #links(call: string): Links {
    const { links } = this.#connected(call);
    if (links !== undefined) return links;
    const what = `${call}: clients of ${this.protocol.name} have no connections with each other; ConnectionUnix has`;
    throw new IpcError('IPCM_NOT_SUPPORTED', what, { client: this.id, protocol: this.protocol.name });
  }

  #connected(call: string): Connection {
    if (this.#state === 'connected') return this.#parts.connection;
    const what =
      this.#state === 'suspended' ? 'suspended; come back with ipcmReconnect' : `${this.#state}; connect anew`;
    throw new IpcError('IPCM_NOT_CONNECTED', `${call}: client "${this.id}" is ${what}`, { client: this.id });
  }

  async #leave(options: Omit<LeaveOptions, 'hurry'>): Promise<void> {
    if (this.disconnected) return;
    this.#state = 'leaving';
    const hurry = (this.#hurry = new AbortController()).signal;
    this.#reader.close();
    try {
      await leave({ ...this.#parts, sender: this.#sender, inbox: this.#reader.inbox }, { ...options, hurry });
    } finally {
      this.#state = options.suspend === true ? 'suspended' : 'disconnected';
      unregisterClient(this);
      await this.#parts.store.close();
      this.emit('close');
    }
  }
}
