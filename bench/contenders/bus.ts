/** The bus itself, by one protocol and one serializer. */
import { join } from 'node:path';
import type * as Library from '../../src/index.ts';
import type { Contender, Content, Link } from './contender.ts';

/** How a protocol takes part. */
export interface BusSetup {
  readonly name: string;
  readonly protocol: string;
  readonly serializer: string;
  readonly variant?: boolean;
  /** Options of the protocol, for all clients. */
  readonly protocolOptions?: Readonly<Record<string, unknown>>;
  readonly only?: readonly string[];
  readonly largest?: number;
  /**
   * Where its store goes, or an environment variable that may hold the data source name of a server: without one a private
   * server is started.
   */
  readonly store: { readonly base: string } | { readonly server: string };
}

// Imported when needed: the processes of the baselines do without.
const library = (): Promise<typeof Library> => import('../../src/index.ts');

function linkOver(client: Library.Client, peer: string): Link {
  return {
    send: (content) => client.sendMessage(peer, content),
    // A handler that throws, or a store that is gone, ends the process, and the benchmark says so.
    onMessage: (handler) => void client.onMessage((message) => handler(message.content as Content)),
    read: async () => (await client.getMessages({ timeout: 1000 })).map((message) => message.content as Content),
  };
}

async function broadcast(client: Library.Client, content: Content, peers: number): Promise<void> {
  const outcomes = await client.broadcast(content);
  const sent = [...outcomes.values()].filter((outcome) => outcome.sent);
  if (sent.length !== peers) throw new Error(`broadcast reached ${sent.length} of ${peers} peers`);
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'IPCM_UNKNOWN_PROTOCOL';
}

export function bus(setup: BusSetup): Contender {
  const { name, protocol, serializer, store, variant = false, protocolOptions, only, largest } = setup;
  return {
    name,
    variant,
    only,
    largest,
    // A pipe or a socket holds no backlog: its senders wait.
    stores: !['AtomicPipe', 'UnixSocket', 'ConnectionUnix'].includes(protocol),
    manyPeers: true,
    inProcess: protocol === 'LocalMemory',
    base: 'base' in store ? store.base : '/tmp',
    unavailable: async () => {
      try {
        const { resolveProtocol, resolveSerializer } = await library();
        await resolveSerializer(serializer);
        const route = 'server' in store ? process.env[store.server] : undefined;
        return await (await resolveProtocol(protocol)).unviable({ route, protocolOptions: {} });
      } catch (error) {
        if (isUnknown(error)) return 'this version does not carry it';
        return error instanceof Error ? error.message : String(error);
      }
    },
    open: async (scratch) => {
      const { ipcmSpawn } = await library();
      const route = 'server' in store ? process.env[store.server] : join(scratch, 'store');
      const isInMemory = protocol === 'LocalMemory';
      const spawn = await ipcmSpawn({ protocol, serializer, route: isInMemory ? undefined : route });
      const client = await spawn.connect('near', { protocolOptions });
      return {
        address: spawn.info,
        link: (peer) => Promise.resolve(linkOver(client, peer)),
        broadcast: (content, peers) => broadcast(client, content, peers),
        peers: async () => (await client.peers()).length,
        close: () => spawn.unspawn(),
      };
    },
    serve: async (address, peer) => {
      const { ipcmServe } = await library();
      // A service that ends in an error ends the process, and the benchmark says so.
      void (await ipcmServe(peer, address, { handleRequest: (request) => request }, { connect: { protocolOptions } }))
        .ended;
    },
    ask: async (address, peer) => {
      const { ipcmServiceHandle } = await library();
      const handle = await ipcmServiceHandle(peer, address, { protocolOptions });
      return (content) => handle.request(content);
    },
    join: async (address, peer) => {
      const { ipcmConnect } = await library();
      return linkOver(await ipcmConnect(peer, address, { protocolOptions }), 'near');
    },
  };
}
