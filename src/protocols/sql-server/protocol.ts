/** Makes a protocol of the bus of a kind of database server. */
import type { Protocol, StoreOptions, ViabilityOptions } from '../../protocol/protocol.ts';
import type { Database } from './database.ts';
import { formatSource, parseRoute } from './data-source.ts';
import { create, open } from './open.ts';
import { noPrivateServer } from './private/server.ts';
import { findStalePrivate } from './private/stale.ts';

/** The protocol on a database. */
export function makeServerProtocol(database: Database): Protocol {
  const { name, recipe, words } = database;
  return {
    name,
    className: `IPC::Manager::Client::${name}`,
    capabilities: database.capabilities,
    /** With a route or a handle no server is needed here. */
    unviable(options?: ViabilityOptions): string | undefined {
      const driver = database.driverMissing();
      if (driver !== undefined) return driver;
      if (options?.route !== undefined || options?.protocolOptions['database'] !== undefined) return undefined;
      return noPrivateServer(recipe);
    },
    accessOf(route: string): Pick<StoreOptions, 'user' | 'pass'> {
      const { user, pass } = parseRoute(route, words, name);
      return { user, pass };
    },
    create: (options) => create(database, options),
    open: (route, options) => open(database, route, options),
    findStale: () => findStalePrivate(name, recipe, (folders) => formatSource(recipe.source(folders), words)),
  };
}
