/** A connection that is lost while nobody knows whether the server has committed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { until } from '../../src/testing/until.ts';
import { scene, unknownTests } from '../sql-server/unknown.ts';
import { connect, contents, create, everything, outgoing } from './scene.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

unknownTests(() => server);

test('what was handed out when the server went away, unremoved, comes no second time to who puts it back', async (t) => {
  const { proxy, direct, far } = await scene(t, () => server, { reconnectTimeout: 200 });
  const a = await connect(direct, 'a');
  const b = await connect(far, 'b');
  await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
  proxy.from = { mark: 'DELETE FROM', lose: 'questions' };
  const read = await b.receive(everything);
  assert.deepEqual(contents(read), [1, 2, 3]);
  await until('something was lost', () => proxy.lost > 0);
  proxy.away = true;
  proxy.cut();
  await assert.rejects(async () => b.receive(everything), { code: 'IPCM_STORE_FAILED' });
  proxy.away = false;
  assert.equal(await direct.waiting('b'), 3);
  await b.requeue(outgoing('a', 'b', ...contents(read)));
  assert.deepEqual(contents(await b.receive(everything)), [1, 2, 3]);
  assert.deepEqual(await b.receive(everything), []);
  assert.equal(await direct.waiting('b'), 0);
});

test('who exits over what it reads has left, and what it read is gone', async (t) => {
  const route = await server.route();
  const direct = await create(t, route);
  const a = await connect(direct, 'a');
  const program = `
    const { ipcmConnect } = await import(${JSON.stringify(new URL('../../src/bus.ts', import.meta.url).href)});
    const client = await ipcmConnect('b', process.argv[1]);
    process.send('there');
    for await (const { content } of client.messages()) process.exit(content);`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, JSON.stringify(['PostgreSQL', 'JSON', route])],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  await a.deliver('b', outgoing('a', 'b', 7, 8));
  assert.deepEqual(await once(child, 'exit'), [7, null]);
  assert.equal(await direct.peer('b'), undefined, 'it left, and is not dead');
  assert.equal(await direct.waiting('b'), 0);
});
