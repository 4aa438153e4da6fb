import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { afterEach, test } from 'node:test';
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
