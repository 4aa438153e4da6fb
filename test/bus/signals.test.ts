import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import { ChildClient } from '../../src/testing/child-process.ts';

const children: ChildClient[] = [];
const routes: string[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.destroy();
  for (const route of routes.splice(0)) rmSync(route, { recursive: true, force: true });
});

/** A process that has made a store; resolves to it and the store's route. */
async function owner(options: Readonly<Record<string, unknown>>): Promise<readonly [ChildClient, string]> {
  const child = await ChildClient.start();
  children.push(child);
  const { route } = await child.call('spawn', { options: { protocol: 'MessageFiles', ...options } });
  routes.push(route);
  return [child, route];
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`with handleSignals ${signal} shuts the store down, and the process dies of it all the same`, async () => {
    const [child, route] = await owner({ handleSignals: true });
    process.kill(child.pid, signal);
    assert.deepEqual(await child.ended, { code: null, signal });
    assert.equal(existsSync(route), false);
  });
}

test('without it no handler is installed: the process dies at once, and the store stays to be reaped', async () => {
  const [child, route] = await owner({});
  process.kill(child.pid, 'SIGTERM');
  assert.deepEqual(await child.ended, { code: null, signal: 'SIGTERM' });
  assert.equal(existsSync(route), true);
});

test('the signal of a bus reaches no process here that has the number of a client elsewhere', async () => {
  await using bus = await ipcmSpawn({ protocol, signal: 'SIGTERM' });
  const bystander = await ChildClient.start();
  children.push(bystander);
  const { serializer } = bus;
  const store = await protocol.open(bus.route, { serializer, limits: { maxMessageBytes: 1 }, protocolOptions: {} });
  // Of another container: no table of processes here tells that it has ended.
  const identity = { ...ownIdentity(), pid: bystander.pid, start: undefined, namespace: '1' };
  const report = { rejected: () => undefined, reaped: () => undefined };
  const client = await store.connect({ name: 'far', mode: 'connect', identity, acknowledge: false, report });
  assert.deepEqual(await bus.terminate(), ['far']);
  await bystander.call('block', { milliseconds: 1 });
  await client.disconnect();
  await store.close();
  await bus.shutdown({ sanityCheck: false });
});
