/** What a bus costs that nothing happens on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

test('who waits asks nothing while nothing comes, and is woken at once all the same', async () => {
  const bus = await ipcmSpawn({ protocol, route: await server.route(), guard: false });
  const [a, b] = [await bus.connect('a'), await ipcmConnect('b', bus.info, { protocol })];
  const first = b.getMessages({ timeout: 60_000 });
  await sleep(300);
  const transactions = async (): Promise<number> => {
    await server.query('SELECT pg_stat_force_next_flush()');
    const [row] = await server.query('SELECT sum(xact_commit + xact_rollback)::int AS n FROM pg_stat_database');
    return Number(row?.['n']);
  };
  // Statistics come late, and asking for them costs two.
  await sleep(1200);
  const begin = await transactions();
  await sleep(2000);
  const count = (await transactions()) - begin;
  assert.ok(count < 8, `${count} transactions in two seconds of nothing`);
  await a.sendMessage('b', 'now');
  assert.equal((await first)[0]?.content, 'now');
  await a.disconnect();
  await b.disconnect();
  await bus.shutdown();
});
