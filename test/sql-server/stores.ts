/** Stores on a test's server, without the bus around them. */
import type { TestContext } from 'node:test';
import { ownIdentity } from '../../src/liveness/identity.ts';
import type { Store, StoreOptions } from '../../src/protocol/protocol.ts';
import { resolveProtocol } from '../../src/protocols/resolve.ts';
import { options } from '../postgresql/scene.ts';
import { ending } from './ending.ts';
import type { TestServer } from './server.ts';

type On = Pick<TestServer, 'kind'>;
type More = Partial<StoreOptions>;

/** Makes a store at a route. */
export async function create(t: TestContext, { kind }: On, route: string, more: More = {}): Promise<Store> {
  const protocol = await resolveProtocol(kind);
  return closing(t, await protocol.create({ ...options, ...more, route, owner: ownIdentity(), guard: false }));
}

/** Opens the store at a route. */
export async function open(t: TestContext, { kind }: On, route: string, more: More = {}): Promise<Store> {
  const protocol = await resolveProtocol(kind);
  return closing(t, await protocol.open(route, { ...options, ...more }));
}

function closing(t: TestContext, store: Store): Store {
  ending(t, () => store.close());
  return store;
}
