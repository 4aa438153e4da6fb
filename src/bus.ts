/** The way in: spawn a store, connect to one, and the defaults of this process. */
import { clientOptionsOf, accessOf, resolveClientOptions, type ClientOptions } from './client/options.ts';
import { ipcmConnect, ipcmReconnect, notViable } from './connect.ts';
import { IpcError, quote } from './errors.ts';
import { ownIdentity } from './liveness/identity.ts';
import type { Protocol, Store } from './protocol/protocol.ts';
import { infoName, resolveProtocol, standardProtocols } from './protocols/resolve.ts';
import { defaultSerializerName, resolveSerializer, type SerializerInput } from './serializers/resolve.ts';
import { constants } from 'node:os';
import { parseInfo } from './spawn/connection-info.ts';
import { Spawn } from './spawn/spawn.ts';

export { ipcmConnect, ipcmReconnect, type ConnectOptions, type InfoInput } from './connect.ts';

/** Options of {@link ipcmSpawn}; those of a client become the defaults of `Spawn.connect`. */
export interface SpawnOptions extends ClientOptions {
  /** The protocol, by name or as an object. */
  readonly protocol?: string | Protocol | undefined;
  /** Protocols to try in order; the first viable one is used. */
  readonly protocols?: readonly (string | Protocol)[] | undefined;
  /** The serializer. Default: `ipcmDefaultSerializer()`. */
  readonly serializer?: SerializerInput | undefined;
  /** Where to make the store (a directory, a file, a data source name). Default: a private temporary place. */
  readonly route?: string | undefined;
  /** Remove the store when the object is disposed of and when this process ends. Default true. */
  readonly guard?: boolean | undefined;
  /** Signal to send to every client's process at shutdown, such as `SIGTERM` or `TERM`. Default: none. */
  readonly signal?: string | undefined;
  /** Compare messages sent and read at shutdown. Default true. */
  readonly sanityCheck?: boolean | undefined;
  /** Shut down when SIGINT, SIGTERM or SIGHUP comes. Default false: no handler is installed. */
  readonly handleSignals?: boolean | undefined;
  /** Tell on stderr, or to the function, how a shutdown goes. Default false. */
  readonly debug?: boolean | ((line: string) => void) | undefined;
}

interface Defaults {
  protocol: string | Protocol | undefined;
  protocolList: readonly (string | Protocol)[];
  serializer: SerializerInput | undefined;
}

const defaults: Defaults = { protocol: undefined, protocolList: standardProtocols, serializer: undefined };

/** Gets, or with an argument sets, this process's default protocol. Undefined until set. */
export function ipcmDefaultProtocol(protocol?: string | Protocol): string | Protocol | undefined {
  if (protocol !== undefined) defaults.protocol = protocol;
  return defaults.protocol;
}

/** Gets, or with an argument sets, the protocols that are tried in order when none is named. */
export function ipcmDefaultProtocolList(list?: readonly (string | Protocol)[]): readonly (string | Protocol)[] {
  if (list !== undefined) defaults.protocolList = [...list];
  return defaults.protocolList;
}

/**
 * Gets, or with an argument sets, this process's default serializer: `JSON::Zstd` where the runtime has zstd (Node 22.15
 * and later), else `JSON`. Takes what the option `serializer` takes, and the flat form `('JSON::Zstd', 'level', 9)`.
 */
export function ipcmDefaultSerializer(serializer?: SerializerInput, ...args: unknown[]): SerializerInput {
  if (serializer !== undefined) {
    defaults.serializer = args.length > 0 && typeof serializer === 'string' ? [serializer, ...args] : serializer;
  }
  return defaults.serializer ?? defaultSerializerName();
}

/**
 * Initialises a store. Without a protocol the first viable one of the default list is picked.
 *
 * Rejects with `IPCM_UNKNOWN_PROTOCOL`, `IPCM_UNKNOWN_SERIALIZER`, `IPCM_NOT_VIABLE`, `IPCM_INVALID_OPTION`,
 * `IPCM_ROUTE_INVALID`, `IPCM_ROUTE_UNSAFE`, `IPCM_STORE_FULL`, `IPCM_STORE_FAILED`.
 */
export async function ipcmSpawn(options: SpawnOptions = {}): Promise<Spawn> {
  const { maxMessageBytes } = resolveClientOptions('ipcmSpawn', options);
  const access = accessOf('ipcmSpawn', options);
  const signal = signalName(options.signal);
  const serializer = await resolveSerializer(options.serializer ?? ipcmDefaultSerializer());
  const protocol = await pickProtocol(options);
  const guard = options.guard ?? true;
  // The route of the store that is made does not say any more as whom.
  const carried = options.route === undefined ? undefined : protocol.accessOf?.(options.route);
  const store = await protocol.create({
    route: options.route,
    owner: ownIdentity(),
    guard,
    serializer,
    limits: { maxMessageBytes },
    ...access,
  });
  const { debug } = options;
  return new Spawn({
    protocol,
    protocolName: infoName(protocol),
    serializer,
    store,
    guard,
    signal,
    sanityCheck: options.sanityCheck ?? true,
    handleSignals: options.handleSignals ?? false,
    clientOptions: {
      ...clientOptionsOf(options),
      user: access.user ?? carried?.user,
      pass: access.pass ?? carried?.pass,
    },
    debug: typeof debug === 'function' ? debug : debug === true ? tellStderr : () => undefined,
  });
}

/**
 * Takes over a store that another process has made: see `Spawn.cleave`. Not for callers.
 * Resolves to a spawn that owns it, and to the store.
 */
export async function ipcmSpawned(
  info: string,
  options: Pick<SpawnOptions, 'guard' | 'sanityCheck' | 'signal'> & ClientOptions,
): Promise<{ readonly spawn: Spawn; readonly store: Store }> {
  const [protocolName, serializerSpec, route] = parseInfo('cleave', info);
  const { maxMessageBytes } = resolveClientOptions('cleave', options);
  const protocol = await resolveProtocol(protocolName);
  const serializer = await resolveSerializer(serializerSpec);
  const access = accessOf('cleave', options);
  const store = await protocol.open(route, { serializer, limits: { maxMessageBytes }, ...access });
  const { guard = true, sanityCheck = true } = options;
  await store.own?.(ownIdentity(), guard);
  const spawn = new Spawn({
    protocol,
    protocolName,
    serializer,
    store,
    guard,
    signal: signalName(options.signal),
    sanityCheck,
    handleSignals: false,
    clientOptions: clientOptionsOf(options),
    debug: () => undefined,
  });
  return { spawn, store };
}

async function pickProtocol(options: SpawnOptions): Promise<Protocol> {
  const given = { route: options.route, protocolOptions: options.protocolOptions ?? {} };
  const single = options.protocol ?? (options.protocols === undefined ? defaults.protocol : undefined);
  if (single !== undefined) {
    const protocol = await resolveProtocol(single);
    const reason = await protocol.unviable(given);
    if (reason !== undefined) throw notViable(protocol, reason);
    return protocol;
  }
  const reasons: string[] = [];
  for (const candidate of options.protocols ?? defaults.protocolList) {
    const protocol = await resolveProtocol(candidate);
    const reason = await protocol.unviable(given);
    if (reason === undefined) return protocol;
    reasons.push(`${protocol.name}: ${reason}`);
  }
  throw new IpcError(
    'IPCM_NOT_VIABLE',
    `ipcmSpawn: no protocol is viable here (${reasons.join('; ') || 'the list is empty'})`,
  );
}

function tellStderr(line: string): void {
  process.stderr.write(`ipcm: ${line}\n`);
}

function signalName(signal: string | undefined): NodeJS.Signals | undefined {
  if (signal === undefined) return undefined;
  const full = signal.startsWith('SIG') ? signal : `SIG${signal}`;
  if (Object.hasOwn(constants.signals, full)) return full as NodeJS.Signals;
  throw new IpcError('IPCM_INVALID_OPTION', `ipcmSpawn: there is no signal ${quote(signal)}`);
}

/** The manual's `ipcm`: spawn, connect and reconnect, and the defaults as properties, without importing each by name. */
export const ipcm = {
  spawn: ipcmSpawn,
  connect: ipcmConnect,
  reconnect: ipcmReconnect,
  get defaultProtocol(): string | Protocol | undefined {
    return defaults.protocol;
  },
  set defaultProtocol(protocol: string | Protocol | undefined) {
    defaults.protocol = protocol;
  },
  get defaultProtocolList(): readonly (string | Protocol)[] {
    return defaults.protocolList;
  },
  set defaultProtocolList(list: readonly (string | Protocol)[]) {
    defaults.protocolList = [...list];
  },
  get defaultSerializer(): SerializerInput {
    return ipcmDefaultSerializer();
  },
  set defaultSerializer(serializer: SerializerInput | undefined) {
    defaults.serializer = serializer;
  },
};
