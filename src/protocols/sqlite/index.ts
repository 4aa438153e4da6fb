/** The protocol SQLite: messages are rows in one file, which SQL can look into, and which outlives everybody. */
import type { Protocol, StaleStore, StoreOptions } from '../../protocol/protocol.ts';
import json from '../../serializers/json.ts';
import { hasBuiltin } from './driver.ts';
import { create, name, open } from './open.ts';
import { findStale } from './stale.ts';

/** Enough to look who is in a store. */
const looking: StoreOptions = {
  serializer: json.create({}),
  limits: { maxMessageBytes: 0 },
  protocolOptions: { lockTimeout: 1000 },
};

/** The protocol. */
export const protocol: Protocol = {
  name,
  className: `IPC::Manager::Client::${name}`,
  capabilities: {
    crossProcess: true,
    suspend: true,
    acknowledge: true,
    survivesReader: true,
    capacity: Infinity,
    largestMessage: Infinity,
    unit: 'content',
    wakeUp: 'file',
    ordering: 'stamp',
    needs: 'a local file system, and Node 22.13 or a better-sqlite3 handle',
  },
  /** With a handle of the caller's among the options any runtime will do. */
  unviable(options?: Pick<StoreOptions, 'protocolOptions'>): string | undefined {
    if (process.platform === 'win32')
      return `${name} needs a POSIX file system; use Linux or macOS, or the LocalMemory protocol`;
    if (hasBuiltin() || options?.protocolOptions['database'] !== undefined) return undefined;
    return `${name} needs node:sqlite, which Node has from 22.13, and this is ${process.version}; or give a better-sqlite3 handle in protocolOptions.database`;
  },
  create,
  open,
  findStale: (): Promise<readonly StaleStore[]> => findStale(name, (route) => open(route, looking)),
};

export default protocol;
