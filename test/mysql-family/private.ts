/** Private servers. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { isAlive } from '../../src/liveness/alive.ts';
import { parseIdentity } from '../../src/liveness/identity.ts';
import { ChildClient } from '../../src/testing/child-process.ts';
import { until } from '../../src/testing/until.ts';
import type { Kind } from './server.ts';
import { ending } from '../sql-server/ending.ts';
import { client, take } from './scene.ts';

/** The folder of a private server, and the process in it. */
function serverOf(route: string): { folder: string; alive: () => boolean } {
  const socket = /_socket=([^;]+)/.exec(route)?.[1] ?? '';
  const folder = dirname(dirname(socket));
  const [line = ''] = readFileSync(`${folder}/.ipcm/server`, 'utf8').split('\n');
  const identity = parseIdentity(line);
  assert.ok(identity !== undefined);
  return { folder, alive: () => isAlive(identity) };
}

/** Tests of private servers. */
export function privateTests(kind: Kind): void {
  test('a store without a route has a server of its own, which carries large messages and goes with it', async (t) => {
    const made = await ipcmSpawn({ protocol: kind });
    const { folder, alive } = serverOf(made.route);
    assert.ok(alive());
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const large = 'x'.repeat(20 * 1024 * 1024);
    await a.sendMessage('b', large);
    assert.equal((await take(b, 1))[0]?.content, large);
    await made.shutdown();
    assert.equal(alive(), false);
    assert.equal(existsSync(folder), false);
  });

  test("a private server is gone within a second of its owner's kill -9, and leaves nothing", async (t) => {
    const child = await ChildClient.start();
    ending(t, () => child.destroy());
    const { route } = await child.call('spawn', { options: { protocol: kind, guard: true } });
    const { folder, alive } = serverOf(String(route));
    process.kill(child.pid, 'SIGKILL');
    await child.ended;
    await until('server and folder are gone', () => !alive() && !existsSync(folder), 1000);
  });
}
