/**
 * The contract between the bus and a protocol, in three nouns: a `Protocol` makes or opens a `Store`, a store lets a
 * client in through a `Connection`. The public `Spawn` and `Client` check arguments and state, serialize, count and keep
 * order; what is here is called with exact arguments only, and never serializes a message.
 *
 * A call may answer at once or with a promise. Protocols whose system calls do not wait answer at once: it keeps the
 * first send of a tick free of a turn through the microtask queue.
 *
 * One file, to be read from top to bottom by whoever writes a protocol.
 */
import type { Stream } from 'node:stream';
import type { IpcError } from '../errors.ts';
import type { ProcessIdentity } from '../liveness/identity.ts';
import type { Message } from '../message/message.ts';
import type { Serializer } from '../serializers/serializer.ts';
import type { Awaitable } from './awaitable.ts';
import type { Links } from './links.ts';
import type { Stats } from './stats.ts';

export type { Awaitable } from './awaitable.ts';

/** What a protocol can and cannot do: read by the client, the conformance suite, the docs table and the command. */
export interface Capabilities {
  /** Other processes can connect by the info string. False only for a store in this process's memory. */
  readonly crossProcess: boolean;
  /** A client can suspend and reconnect, and gets what was sent meanwhile. */
  readonly suspend: boolean;
  /** Reading with `{ack: true}`: a message stays in the store until it is acknowledged. */
  readonly acknowledge: boolean;
  /** Messages waiting for a reader survive the reader's death in the store. */
  readonly survivesReader: boolean;
  /**
   * Short messages (up to 256 bytes serialized) that certainly find room at a receiver which does not read; beyond it
   * senders may have to wait. Infinity where only the space of the store limits it.
   */
  readonly capacity: number;
  /** Largest serialized message in bytes that the protocol itself can carry; Infinity where only the option limits it. */
  readonly largestMessage: number;
  /** Longest name of a client in characters, where that is less than the bus itself allows. */
  readonly longestName?: number;
  /** False where a name cannot hold a null byte. */
  readonly nullInNames?: false;
  /** What goes over the wire: the whole message serialized, or columns with the serialized content. */
  readonly unit: 'message' | 'content';
  /** What wakes a waiting reader. */
  readonly wakeUp: 'memory' | 'inotify' | 'descriptor' | 'file' | 'notify' | 'poll';
  /** Where the order per sender comes from. */
  readonly ordering: 'arrival' | 'name' | 'stamp';
  /** What the protocol needs, for people: "a local file system", "a PostgreSQL server". */
  readonly needs: string;
}

/** The limits of a bus, all in bytes. */
export interface Limits {
  /** Largest serialized message, and largest text that a compressed one may become. */
  readonly maxMessageBytes: number;
}

/** What every store is made or opened with. */
export interface StoreOptions {
  readonly serializer: Serializer;
  readonly limits: Limits;
  /** Whom to connect to a server as, and the password, where a protocol has a server. They go nowhere else. */
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  /** Options that only this protocol knows, exactly as the caller gave them. */
  readonly protocolOptions: Readonly<Record<string, unknown>>;
}

/** What a new store is made with. */
export interface CreateOptions extends StoreOptions {
  /** Where to make it; a private temporary place where undefined. */
  readonly route: string | undefined;
  /** Who makes it: recorded, so that a guarded store whose owner was killed can be recognised. */
  readonly owner: ProcessIdentity;
  /** True when the store must not outlive its owner. */
  readonly guard: boolean;
}

/** What a protocol may look at when it is asked whether it is viable. */
export interface ViabilityOptions extends Pick<StoreOptions, 'protocolOptions'> {
  /** Where the store is, or shall be; left out for a private one. */
  readonly route?: string | undefined;
}

/** A protocol: eight are built in, others are modules named with a leading `+`, or objects given to spawn and connect. */
export interface Protocol {
  /** Bare name, such as `MessageFiles`. */
  readonly name: string;
  /** The protocol element of the connection info. */
  readonly className: string;
  readonly capabilities: Capabilities;
  /** Why this machine or runtime cannot carry the protocol and what to do about it; undefined where it can. */
  unviable(options?: ViabilityOptions): Awaitable<string | undefined>;
  /** The user and the password that a route carries, for those who connect to the store made there. Optional. */
  accessOf?(route: string): Pick<StoreOptions, 'user' | 'pass'>;
  /** Makes a store (adopts an empty directory, creates missing tables …). */
  create(options: CreateOptions): Awaitable<Store>;
  /** Opens the store at a route that somebody made. Throws `IPCM_STORE_MISSING`. */
  open(route: string, options: StoreOptions): Awaitable<Store>;
  /** Finds temporary stores of this protocol whose owner has died. */
  findStale?(): Awaitable<readonly StaleStore[]>;
}

/** A guarded store whose owner was killed before it could remove it. */
export interface StaleStore {
  readonly route: string;
  readonly owner: ProcessIdentity;
  /** Removes the store and what is in it; resolves to false when it is not stale any more. */
  remove(): Awaitable<boolean>;
}

/** State of a peer as the store knows it. Dead peers are not listed; whoever meets one may reap it. */
export interface PeerEntry {
  readonly name: string;
  /**
   * `suspended` keeps its name and its messages without a process. `leaving`: a live process holds the name, and nothing can be
   * sent to it any more (or, for an instant while it connects, not yet). `dead` is not reaped yet.
   */
  readonly state: 'active' | 'suspended' | 'leaving' | 'dead';
  /** The process; undefined while suspended. */
  readonly identity: ProcessIdentity | undefined;
  /** Deadline of a suspended peer, epoch seconds. */
  readonly expiresAt: number | undefined;
  /** True for a client that said at its connect that it answers requests. */
  readonly service?: boolean | undefined;
  /**
   * When its inbox was made, empty, by the `monotonic` clock of its boot; it connected after that. Undefined for one that came
   * back to what a suspended or dead client had left, and where it is not known. What was delivered before is lost.
   */
  readonly since?: number | undefined;
}

/** A peer that died or missed its suspension's deadline, and what was lost with it. */
export interface Reaped {
  readonly name: string;
  readonly pid: number | undefined;
  /** How many messages waited for it, unread. */
  readonly lost: number;
}

/** A message that waits unread in a store. */
export interface UnreadMessage {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly stamp: number;
}

/** An open store, seen from outside: no client is needed to look or to clean up. */
export interface Store {
  readonly route: string;
  /** All peers, whatever their state; dead ones until somebody reaps them. */
  peers(): Awaitable<readonly PeerEntry[]>;
  /** One peer by name. */
  peer(name: string): Awaitable<PeerEntry | undefined>;
  /** What each client wrote about itself when it disconnected, suspended, or was asked to. */
  stats(): Awaitable<ReadonlyMap<string, Stats>>;
  /** Number of messages that wait for a peer. */
  waiting(name: string): Awaitable<number>;
  /** The messages that wait for a peer, oldest first, `limit` at most. */
  unread(name: string, limit: number): Awaitable<readonly UnreadMessage[]>;
  /** Removes dead peers and peers past their suspension's deadline, with everything of theirs. */
  reap(): Awaitable<readonly Reaped[]>;
  /** Everybody reaped so far, by whomever, so that the sanity check can name them. */
  reaped(): Awaitable<readonly Reaped[]>;
  /** Calls `wake` when a peer may have come, gone or changed; returns how to stop. Only a hint. */
  watchPeers(wake: () => void): () => void;
  /** Lets a client in. Throws `IPCM_NAME_TAKEN`, `IPCM_NO_SUCH_CLIENT`, `IPCM_INVALID_NAME`, `IPCM_STORE_MISSING`. */
  connect(request: ConnectRequest): Awaitable<Connection>;
  /** Records who owns the store from now on. Optional: one that records no owner has nothing to hand over. */
  own?(owner: ProcessIdentity, guard: boolean): Awaitable<void>;
  /** What this process holds open so that the store stays, and whoever owns it next must inherit. Optional. */
  holds?(): readonly Stream[];
  /** Removes the store and everything in it. Removing one that is gone is fine. */
  remove(): Awaitable<void>;
  /**
   * The same for `process.exit` and uncaught errors, in synchronous code. False where that cannot do it: then a process is started
   * that opens the store and removes it. Never throws.
   */
  removeSync(): boolean;
  /** Lets go of what this object holds (descriptors, connections); the store stays. */
  close(): Awaitable<void>;
}

/** A client that wants in. */
export interface ConnectRequest {
  readonly name: string;
  /** `connect` takes a free name, `reconnect` one that was suspended or whose process died. */
  readonly mode: 'connect' | 'reconnect';
  readonly identity: ProcessIdentity;
  /** Read with acknowledgement: messages of a dead predecessor of the same name are kept. */
  readonly acknowledge: boolean;
  /** The client answers requests: to be recorded for `PeerEntry.service`. Changes nothing else. */
  readonly service?: boolean | undefined;
  /** Tells the client what happened beside its own calls. */
  readonly report: ConnectionReport;
}

/** What a connection tells its client unasked. */
export interface ConnectionReport {
  /** Bytes that were no message, or over the limit, and what became of them. */
  rejected(error: IpcError): void;
  /** A dead peer was reaped by this connection. */
  reaped(peer: Reaped): void;
}

/** A message on its way out, in the form that the protocol's `unit` asks for. */
export interface Outgoing {
  readonly message: Message;
  /** The serialized message, or only its serialized content where `unit` is `content`. */
  readonly bytes: Uint8Array;
  /** Where the bytes lie, if they were written with {@link Connection.headroom} before them. */
  readonly place?: Place | undefined;
}

/** Bytes in a buffer, `size` of them from `at` on. Those of the headroom, right before them, are free to be written over. */
export interface Place {
  readonly buffer: Buffer;
  readonly at: number;
  readonly size: number;
}

/** What came of a call of `deliver`. */
export interface Delivery {
  /** How many of the batch, from its head, are in the store or the kernel now. */
  readonly taken: number;
  /** Set when the next one has to wait: resolves when there may be room. Rejects only for a reason that ends the peer. */
  readonly blocked?: Promise<void>;
  /** Set when the next one failed: the reason, and it alone is dropped. `taken` does not count it. */
  readonly error?: IpcError;
}

/** A message as it came in. Its bytes are good until the next call of its connection. */
export type Incoming =
  | { readonly bytes: Uint8Array; readonly receipt?: unknown }
  | {
      readonly message: UnreadMessage & { readonly broadcast: boolean };
      readonly content: Uint8Array;
      readonly receipt?: unknown;
    };

/** How much `receive` may return at once. */
export interface ReceiveLimit {
  readonly messages: number;
  readonly bytes: number;
  /** True where the caller will wait for a hint if nothing is at hand: then there is no need to ask the kernel for more. */
  readonly hinted?: boolean;
}

/** One client's way in and out of a store. */
export interface Connection {
  /** Connections between pairs of clients, where the protocol has them. */
  readonly links?: Links;
  /**
   * Set by who wants messages to be written behind each other into memory that is used again, each with so many bytes free
   * before it: then nothing of a message may be kept once `deliver` has said that it is taken. Other connections get a buffer
   * for each message, which is theirs.
   */
  readonly headroom?: number;
  /**
   * Sends messages to one peer, in order, starting with the first. Returns when as many as possible are with the store or
   * the kernel. Throws only for what concerns the whole peer: `IPCM_PEER_UNKNOWN`, `IPCM_PEER_GONE`, `IPCM_STORE_MISSING`.
   */
  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery>;
  /** What is there now, oldest first per sender; empty when there is nothing. */
  receive(limit: ReceiveLimit): Awaitable<readonly Incoming[]>;
  /** True when `receive` would return something. */
  ready(): Awaitable<boolean>;
  /** True when a message is being written to this client but is not whole yet, as far as the protocol can tell. */
  pending(): Awaitable<boolean>;
  /** Calls `wake` when something may have arrived; returns how to stop. Only a hint: the client looks again by itself. */
  watchInbox(wake: () => void): () => void;
  /** Milliseconds after which a waiting client looks without a hint. Default 250; more where hints are hardly ever lost. */
  readonly lookAgain?: number;
  /**
   * Waits for a moment without sleeping, if the user opted in; true when there is something to receive. Asked after a look
   * that found nothing and before the wait for a hint. Optional.
   */
  spin?(): boolean;
  /** Removes messages that were read with acknowledgement, by their receipts. */
  acknowledge(receipts: readonly unknown[]): Awaitable<void>;
  /** Puts messages back, to be received first; they survive a suspension. */
  requeue(messages: readonly Outgoing[]): Awaitable<void>;
  /** Puts messages read with acknowledgement back, by their receipts, to be received again. */
  release(receipts: readonly unknown[]): Awaitable<void>;
  /** Sets aside what turned out to be no message, where the protocol has a place for it; optional. */
  reject?(incoming: Incoming): Awaitable<void>;
  /** Writes the client's statistics where `Store.stats` finds them. */
  writeStats(stats: Stats): Awaitable<void>;
  /** The statistics of an earlier life under this name, if they were kept. */
  readStats(): Awaitable<Stats | undefined>;
  /** No more can be sent to this client from now on; what has been sent can still be received. */
  seal(): Awaitable<void>;
  /** Ends the connection for good; the name is free again. */
  disconnect(): Awaitable<void>;
  /** Ends the connection, keeps the name and what is sent to it until the deadline (epoch seconds) or for ever. */
  suspend(expiresAt: number | undefined): Awaitable<void>;
  /**
   * Called at process exit on a connection still open: writes the client's statistics and gives up its name, as far as
   * synchronous code can. Never throws.
   */
  closeSync(stats?: Stats): void;
}
