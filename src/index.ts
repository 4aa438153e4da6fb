/**
 * ipc-manager: message-based IPC between processes, without a broker.
 *
 * Start with `ipcmSpawn` and `ipcmConnect`; docs/ has the rest.
 */
export {
  ipcm,
  ipcmConnect,
  ipcmDefaultProtocol,
  ipcmDefaultProtocolList,
  ipcmDefaultSerializer,
  ipcmReconnect,
  ipcmSpawn,
} from './bus.ts';
export type { ConnectOptions, InfoInput, SpawnOptions } from './bus.ts';
export {
  defineService,
  insideService,
  ipcmServe,
  ipcmService,
  ipcmServiceHandle,
  ipcmSpares,
  ipcmWorker,
} from './service/index.ts';
export type * from './service/index.ts';
export { Client } from './client/client.ts';
export type { ClientEvents, ClientStats, GetOptions, SendResult, UnreadHandler } from './client/client.ts';
export type { BroadcastArguments, SendArguments, SendFields } from './client/arguments.ts';
export type { WaitOptions } from './client/arrival.ts';
export type { IterateOptions } from './client/reader.ts';
export type { SuspendOptions } from './client/suspension.ts';
export type { ClientOptions } from './client/options.ts';
export { errorCodes, IpcError, isIpcError } from './errors.ts';
export type { ErrorCode, ErrorFacts } from './errors.ts';
export { isAlive, pidIsRunning } from './liveness/alive.ts';
export { formatIdentity, ownIdentity, parseIdentity } from './liveness/identity.ts';
export type { ProcessIdentity } from './liveness/identity.ts';
export { Message } from './message/message.ts';
export type { MessageFields, WireMessage } from './message/message.ts';
export type { LinkInfo, Links } from './protocol/links.ts';
export type * from './protocol/protocol.ts';
export type { Stats } from './protocol/stats.ts';
export { protocolNames, resolveProtocol } from './protocols/resolve.ts';
export { builtinSerializers, resolveSerializer } from './serializers/resolve.ts';
export type { SerializerInput } from './serializers/resolve.ts';
export type { Serializer, SerializerModule, SerializerSpec } from './serializers/serializer.ts';
export { formatInfo, parseInfo } from './spawn/connection-info.ts';
export type { ConnectionInfo } from './spawn/connection-info.ts';
export { Spawn } from './spawn/spawn.ts';
export type { CleaveOptions, Keeper } from './spawn/cleave.ts';
export type { ShutdownOptions, ShutdownReport } from './spawn/spawn.ts';
export { describeDelta } from './spawn/sanity.ts';
export type { Mismatch, SanityDelta } from './spawn/sanity.ts';
