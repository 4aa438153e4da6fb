/**
 * LocalMemory: the reference implementation of the contract, and the smallest thing that passes its suite. The store is a
 * map in this process, so only clients of this process reach it; messages are serialized all the same, so that what works
 * here works elsewhere.
 */
import { IpcError, quote } from '../../errors.ts';
import type { Capabilities, CreateOptions, Protocol, StoreOptions } from '../../protocol/protocol.ts';
import { LocalMemoryStore } from './store.ts';
import { stores, type Memory } from './memory.ts';

const capabilities: Capabilities = {
  crossProcess: false,
  suspend: true,
  acknowledge: true,
  survivesReader: false,
  capacity: Number.POSITIVE_INFINITY,
  largestMessage: Number.POSITIVE_INFINITY,
  unit: 'message',
  wakeUp: 'memory',
  ordering: 'arrival',
  needs: 'nothing',
};

let made = 0;

function create({ route, serializer }: CreateOptions): LocalMemoryStore {
  const name = route ?? `localmemory-${process.pid}-${++made}`;
  const memory: Memory = { clients: new Map(), stats: new Map(), reaped: [], watchers: new Set() };
  if (stores.has(name)) {
    throw new IpcError('IPCM_ROUTE_INVALID', `LocalMemory: there is a store ${JSON.stringify(name)} already`, {
      route: name,
    });
  }
  stores.set(name, memory);
  return new LocalMemoryStore(name, memory, serializer);
}

function open(route: string, { serializer }: StoreOptions): LocalMemoryStore {
  const memory = stores.get(route);
  if (memory !== undefined) return new LocalMemoryStore(route, memory, serializer);
  throw new IpcError(
    'IPCM_STORE_MISSING',
    `LocalMemory: there is no store ${quote(route)} in this process (pid ${process.pid}); it reaches one process ` +
      'only, so use MessageFiles or another protocol between processes',
    { route, protocol: 'LocalMemory' },
  );
}

/** The protocol LocalMemory. */
export const protocol: Protocol = {
  name: 'LocalMemory',
  className: 'IPC::Manager::Client::LocalMemory',
  capabilities,
  unviable: () => undefined,
  create,
  open,
};

export default protocol;
