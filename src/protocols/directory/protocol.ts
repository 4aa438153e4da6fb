/** A directory protocol from its strategy: making, adopting and opening routes is the same for all. */
import type {
  Awaitable,
  Capabilities,
  CreateOptions,
  Protocol,
  StaleStore,
  StoreOptions,
} from '../../protocol/protocol.ts';
import type { EntryKind } from './entry-kind.ts';
import { removeTree } from './files.ts';
import { makeRoute, makeTemporaryRoute, normalRoute } from './route.ts';
import { findStaleStores } from './stale.ts';
import { DirectoryStore } from './store.ts';

/** What distinguishes a directory protocol. */
export interface DirectoryProtocol<Handle> {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Why this machine cannot carry it, beyond what holds for all directory protocols. */
  unviable?(): Awaitable<string | undefined>;
  /** The strategy for a store with these options. */
  kind(options: StoreOptions): EntryKind<Handle>;
}

/** The protocol of such a definition. */
export function directoryProtocol<Handle>(definition: DirectoryProtocol<Handle>): Protocol {
  const { name, capabilities } = definition;
  return {
    name,
    className: `IPC::Manager::Client::${name}`,
    capabilities,
    unviable(): Awaitable<string | undefined> {
      if (process.platform === 'win32')
        return `${name} needs a POSIX file system; use Linux or macOS, or the LocalMemory protocol`;
      return definition.unviable?.();
    },
    create(options: CreateOptions): DirectoryStore<Handle> {
      const kind = definition.kind(options);
      let made = options.route === undefined;
      const route = options.route === undefined ? makeTemporaryRoute(name) : normalRoute(options.route, name);
      try {
        made ||= makeRoute({ route, protocol: name }, (entry) => kind.isEntry(entry));
        const store = new DirectoryStore(route, kind, options);
        store.own(options.owner, options.guard);
        return store;
      } catch (error) {
        if (made) removeTree(route);
        throw error;
      }
    },
    open(route: string, options: StoreOptions): DirectoryStore<Handle> {
      return new DirectoryStore(normalRoute(route, name), definition.kind(options), options);
    },
    findStale(): StaleStore[] {
      return findStaleStores(name);
    },
  };
}
