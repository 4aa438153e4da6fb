/** A server that stops answering without a word. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { TestServer } from './server.ts';

/** A process and all that it has started. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      parents.set(Number(entry), Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'latin1'))?.[1]));
    } catch {
      // Ended meanwhile.
    }
  }
  const found = [pid];
  for (const each of found) for (const [child, parent] of parents) if (parent === each) found.push(child);
  return found;
}

test('a server that is stopped holds up nobody for longer than reconnectTimeout and some seconds', async (t) => {
  const server = await TestServer.start();
  const protocolOptions = { reconnectTimeout: 1000 };
  const bus = await ipcmSpawn({ protocol, route: await server.route(), guard: false, protocolOptions });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  await a.sendMessage('b', 'before');
  const stopped = family(server.pid);
  t.after(async () => {
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
    await server.stop();
  });
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
  const seconds = async (action: Promise<unknown>): Promise<number> => {
    const begin = performance.now();
    await assert.rejects(
      action,
      (error) =>
        /cannot be reached/.test(String(error) + String((error as Error).cause)) || error instanceof AggregateError,
    );
    return (performance.now() - begin) / 1000;
  };
  const sending = await seconds(a.sendMessage('b', 'into silence'));
  assert.ok(sending < 25, `the send took ${sending} s`);
  const leaving = await seconds(b.disconnect());
  assert.ok(leaving < 30, `the disconnect took ${leaving} s`);
  const ending = await seconds(bus.shutdown());
  assert.ok(ending < 30, `the shutdown took ${ending} s`);
});

test('a statement that takes long is waited for, on a server that answers others', async (t) => {
  const server = await TestServer.start();
  t.after(() => server.stop());
  const bus = await ipcmSpawn({ protocol, route: await server.route(), guard: false });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  const schema = /search_path=(\w+)/.exec(bus.route)?.[1] ?? '';
  await server.query(
    `CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NULL; END $$`,
  );
  await server.query(
    `CREATE TRIGGER slow BEFORE INSERT ON ${schema}.ipcm_messages FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.slow()`,
  );
  await server.query(`ALTER TABLE ${schema}.ipcm_messages ENABLE ALWAYS TRIGGER slow`);
  const backends = () => server.query("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ipcm %'");
  const before = await backends();
  await a.sendMessage('b', 'slow');
  assert.deepEqual(await backends(), before, 'over the connection that was there');
  assert.deepEqual(
    (await b.getMessages()).map(({ content }) => content),
    ['slow'],
  );
  await server.query(`DROP TRIGGER slow ON ${schema}.ipcm_messages`);
  await bus.shutdown();
});
