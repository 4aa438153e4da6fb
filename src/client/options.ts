/** The options of a client, their defaults, and the checks on what callers pass. */
import { IpcError, quote } from '../errors.ts';

/** Options of `ipcmConnect`, `ipcmReconnect` and `Spawn.connect`. */
export interface ClientOptions {
  /**
   * Read with acknowledgement: a message stays in the store until `acknowledge(message)`, and comes again if this process
   * dies before. Only where the protocol's capabilities say so. Default false: a message is deleted when read.
   */
  readonly ack?: boolean | undefined;
  /** Bytes in one peer's outbox from which `trySendMessage` says no. Default 1 MiB. */
  readonly highWaterMark?: number | undefined;
  /** Bytes in one peer's outbox from which `sendMessage` rejects with `IPCM_OUTBOX_FULL`. Default 64 MiB. */
  readonly outboxLimit?: number | undefined;
  /** Largest message in bytes, serialized and decoded, in both directions. Default 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Milliseconds that `disconnect` and `suspend` wait for the outboxes to drain. Default 5000. */
  readonly drainTimeout?: number | undefined;
  /** Whom to connect to a database server as. Default: what the database's own tools take. */
  readonly user?: string | undefined;
  /** The password for it. It is never shown, and no part of the connection info. */
  readonly pass?: string | undefined;
  /** Options that only the protocol knows. */
  readonly protocolOptions?: Readonly<Record<string, unknown>> | undefined;
  /** Tells whoever looks at the bus that this client answers requests. Services set it themselves. Default false. */
  readonly service?: boolean | undefined;
}

/** The options with every default filled in. */
export interface ResolvedClientOptions {
  readonly ack: boolean;
  readonly highWaterMark: number;
  readonly outboxLimit: number;
  readonly maxMessageBytes: number;
  readonly drainTimeout: number;
  readonly protocolOptions: Readonly<Record<string, unknown>>;
  readonly service: boolean;
}

/** What of a client's options its store is opened with. */
export interface StoreAccess {
  readonly user: string | undefined;
  readonly pass: string | undefined;
  readonly protocolOptions: Readonly<Record<string, unknown>>;
}

function text(call: string, name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  // It may be a password in the wrong place: only its type is told.
  throw new IpcError('IPCM_INVALID_OPTION', `${call}: ${name} is a text, and this is a ${typeof value}`);
}

/** The options that concern the store. Throws `IPCM_INVALID_OPTION`. */
export function accessOf(call: string, { user, pass, protocolOptions = {} }: ClientOptions): StoreAccess {
  return { user: text(call, 'user', user), pass: text(call, 'pass', pass), protocolOptions };
}

/** Largest message unless an option says otherwise: 64 MiB. */
export const defaultMaxMessageBytes = 64 * 1024 * 1024;

/** Longest name in characters; file systems and databases have their own ways with long ones. */
const longestName = 65_536;

function positive(call: string, name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value >= 0 && !Number.isNaN(value)) return value;
  throw new IpcError('IPCM_INVALID_OPTION', `${call}: ${name} is a number of at least 0, not ${quote(value)}`);
}

/** Checks the options of a call and fills in the defaults. Throws `IPCM_INVALID_OPTION`. */
export function resolveClientOptions(call: string, options: ClientOptions): ResolvedClientOptions {
  return {
    ack: options.ack ?? false,
    highWaterMark: positive(call, 'highWaterMark', options.highWaterMark, 1024 * 1024),
    outboxLimit: positive(call, 'outboxLimit', options.outboxLimit, 64 * 1024 * 1024),
    maxMessageBytes: positive(call, 'maxMessageBytes', options.maxMessageBytes, defaultMaxMessageBytes),
    drainTimeout: positive(call, 'drainTimeout', options.drainTimeout, 5000),
    protocolOptions: options.protocolOptions ?? {},
    service: options.service ?? false,
  };
}

/** Throws `IPCM_INVALID_NAME` unless the name can be a client's on every protocol. */
export function checkName(call: string, name: unknown): asserts name is string {
  const refuse = (why: string): never => {
    throw new IpcError('IPCM_INVALID_NAME', `${call}: ${quote(name)} cannot be the name of a client: ${why}`);
  };
  if (typeof name !== 'string') refuse('a name is a string');
  else if (name === '') refuse('a name has at least one character');
  else if (name.startsWith('_')) refuse('names that begin with an underscore are reserved');
  else if (name.length > longestName) refuse(`a name has at most ${longestName} characters`);
  else if (/\p{Surrogate}/u.test(name)) refuse('it holds half of a surrogate pair');
}

/** The options of a client among others. */
export function clientOptionsOf(options: ClientOptions): ClientOptions {
  const { ack, highWaterMark, outboxLimit, maxMessageBytes, drainTimeout, user, pass, protocolOptions, service } =
    options;
  return { ack, highWaterMark, outboxLimit, maxMessageBytes, drainTimeout, user, pass, protocolOptions, service };
}
