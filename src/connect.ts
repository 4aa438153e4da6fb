/** Takes part in a store that is there: all that a service needs, which loads nothing of what makes stores and processes. */
import type { Client } from './client/client.ts';
import { connectClient } from './client/connect.ts';
import { clientOptionsOf, type ClientOptions } from './client/options.ts';
import { IpcError } from './errors.ts';
import type { Protocol } from './protocol/protocol.ts';
import { resolveProtocol } from './protocols/resolve.ts';
import { resolveSerializer } from './serializers/resolve.ts';
import type { Serializer } from './serializers/serializer.ts';
import { parseInfo, type ConnectionInfo } from './spawn/connection-info.ts';
import { withAccessTo } from './spawn/held-access.ts';
import type { Spawn } from './spawn/spawn.ts';

/** Options of {@link ipcmConnect} and {@link ipcmReconnect}. */
export interface ConnectOptions extends ClientOptions {
  /** The protocol object, where the info names one that this process cannot import. */
  readonly protocol?: Protocol | undefined;
  /** The serializer object, likewise. */
  readonly serializer?: Serializer | undefined;
}

/** Connection info as a string, as an array, or the `Spawn` itself. */
export type InfoInput = string | ConnectionInfo | Spawn;

/**
 * Connects to a store under a name that nobody holds. What a dead client of that name left is removed first, or taken
 * over with `{ack: true}`.
 *
 * Rejects with `IPCM_NAME_TAKEN`, `IPCM_INVALID_NAME`, `IPCM_INVALID_INFO`, `IPCM_STORE_MISSING`, `IPCM_ROUTE_UNSAFE`,
 * `IPCM_UNKNOWN_PROTOCOL`, `IPCM_UNKNOWN_SERIALIZER`, `IPCM_NOT_VIABLE`, `IPCM_NOT_SUPPORTED`, `IPCM_INVALID_OPTION`.
 */
export function ipcmConnect(name: string, info: InfoInput, options: ConnectOptions = {}): Promise<Client> {
  return connect('connect', name, info, options);
}

/**
 * Connects under a name that was suspended, or whose process died, and gets what was sent meanwhile.
 *
 * Rejects as {@link ipcmConnect}, and with `IPCM_NO_SUCH_CLIENT` when there is nothing to come back to.
 */
export function ipcmReconnect(name: string, info: InfoInput, options: ConnectOptions = {}): Promise<Client> {
  return connect('reconnect', name, info, options);
}

async function connect(
  mode: 'connect' | 'reconnect',
  name: string,
  info: InfoInput,
  options: ConnectOptions,
): Promise<Client> {
  const call = mode === 'connect' ? 'ipcmConnect' : 'ipcmReconnect';
  const [protocolName, serializerSpec, route] = parseInfo(call, info);
  const protocol = await resolveProtocol(options.protocol ?? protocolName);
  const reason = await protocol.unviable({ route, protocolOptions: options.protocolOptions ?? {} });
  if (reason !== undefined) throw notViable(protocol, reason);
  const serializer = await resolveSerializer(options.serializer ?? serializerSpec);
  const clientOptions = clientOptionsOf(withAccessTo(info, options) ?? options);
  return connectClient(mode, name, { protocol, serializer, route }, clientOptions);
}

/** The error for a protocol that cannot be used here. */
export function notViable(protocol: Protocol, reason: string): IpcError {
  return new IpcError('IPCM_NOT_VIABLE', `${protocol.name} is not viable here: ${reason}`, { protocol: protocol.name });
}
