/** Makes a connected client on an open store. */
import { IpcError, warn } from '../errors.ts';
import { ownIdentity } from '../liveness/identity.ts';
import type { Connection, Protocol, Reaped } from '../protocol/protocol.ts';
import { emptyStats } from '../protocol/stats.ts';
import type { Serializer } from '../serializers/serializer.ts';
import { Client } from './client.ts';
import { accessOf, checkName, resolveClientOptions, type ClientOptions } from './options.ts';

/** What a client is connected to. */
export interface Target {
  readonly protocol: Protocol;
  readonly serializer: Serializer;
  readonly route: string;
}

/** Opens the store and takes the name. Rejects as `ipcmConnect` and `ipcmReconnect` document. */
export async function connectClient(
  mode: 'connect' | 'reconnect',
  name: string,
  { protocol, serializer, route }: Target,
  options: ClientOptions,
): Promise<Client> {
  checkName(mode, name);
  const resolved = resolveClientOptions(mode, options);
  if (resolved.ack && !protocol.capabilities.acknowledge) {
    throw new IpcError(
      'IPCM_NOT_SUPPORTED',
      `${mode} "${name}": ${protocol.name} cannot read with acknowledgement ({ack: true})`,
      {
        client: name,
        protocol: protocol.name,
      },
    );
  }
  if (mode === 'reconnect' && !protocol.capabilities.suspend) {
    throw new IpcError(
      'IPCM_NOT_SUPPORTED',
      `reconnect "${name}": clients of ${protocol.name} cannot suspend; use connect`,
      {
        client: name,
        protocol: protocol.name,
      },
    );
  }
  const { maxMessageBytes, service } = resolved;
  const limits = { maxMessageBytes };
  const store = await protocol.open(route, { serializer, limits, ...accessOf(mode, options) });
  let connection: Connection | undefined;
  let client: Client | undefined;
  // Before the client exists nobody can listen to it.
  const report = {
    rejected: (error: IpcError) => (client === undefined ? warn(error) : client.onRejected(error)),
    reaped: (peer: Reaped) => client?.onReaped(peer),
  };
  try {
    const request = { name, mode, identity: ownIdentity(), acknowledge: resolved.ack, service, report };
    connection = await store.connect(request);
    const stats = (await connection.readStats()) ?? emptyStats();
    client = new Client({ id: name, protocol, serializer, store, connection, options: resolved, stats });
    return client;
  } catch (error) {
    if (connection !== undefined) await giveUp(connection, mode === 'reconnect' || resolved.ack);
    await store.close();
    throw error;
  }
}

/** Gives up a name whose client does not come about; keeps what may have been waiting under it. */
async function giveUp(connection: Connection, keep: boolean): Promise<void> {
  try {
    await (keep ? connection.suspend(undefined) : connection.disconnect());
  } catch {
    // What has failed before is the error to tell; a name that is kept in vain is a dead client's when the process ends.
    if (!keep) connection.closeSync();
  }
}
