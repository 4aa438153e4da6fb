/** What goes wrong with a server: it restarts, connections are cut, locks are held, the disk is full. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { until } from '../../src/testing/until.ts';
import { TestServer } from './server.ts';
import { codeOf, connect, contents, create, everything, open, outgoing, serializer } from './scene.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

const schemaOf = (route: string): string => /search_path=(\w+)/.exec(route)?.[1] ?? '';

test('connections cut in the midst of traffic: nothing is lost, nothing comes twice, readers go on being woken', async (t) => {
  const route = await server.route();
  const bus = await ipcmSpawn({ protocol, route, guard: false, serializer: 'JSON' });
  t.after(() => bus.unspawn());
  const senders = ['s1', 's2'].map((name) => {
    const child = fork(join(import.meta.dirname, '../sql-server/sender.ts'), [bus.info, name, '3000']);
    t.after(() => child.kill('SIGKILL'));
    return child;
  });
  const reader = await ipcmConnect('reader', bus.info, { protocol });
  for (const child of senders) await once(child, 'message');
  for (const child of senders) child.send('go');
  let cuts = 0;
  let count = 0;
  let over = false;
  const cutting = (async () => {
    for (let before = 0; !over;) {
      await sleep(60 + Math.random() * 60);
      // Not faster than a busy machine makes connections: nothing would ever get through.
      if (count === before) continue;
      before = count;
      const found = await server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ipcm %'",
      );
      cuts += found.length;
    }
  })();
  const next = new Map([
    ['s1', 0],
    ['s2', 0],
  ]);
  for await (const { from, content } of reader.messages()) {
    assert.equal(content, next.get(from), `what ${from} sent`);
    next.set(from, Number(content) + 1);
    if (++count === 6000) break;
  }
  over = true;
  await cutting;
  assert.ok(cuts > 5, `only ${cuts} connections were cut`);
  for (const child of senders) if (child.exitCode === null) await once(child, 'exit');
  assert.deepEqual(
    senders.map(({ exitCode }) => exitCode),
    [0, 0],
  );
  await sleep(20);
  assert.deepEqual(await reader.getMessages(), []);
  await reader.disconnect();
});

test('a server that is killed and started again: what was sent is there, and both sides go on', async (t) => {
  const own = await TestServer.start();
  t.after(() => own.stop());
  const bus = await ipcmSpawn({ protocol, route: await own.route(), guard: false });
  const a = await bus.connect('a');
  const b = await ipcmConnect('b', bus.info, { protocol });
  await a.sendMessage('b', 'before');
  const reading = (async () => {
    const got: unknown[] = [];
    for await (const { content } of b.messages()) {
      got.push(content);
      if (content === 'last') return got;
    }
    return got;
  })();
  await until('the first was read', async () => (await a.allStats()) !== undefined && b.stats.read.get('a') === 1);
  // A backend that is killed makes the server end all of them, and recover.
  const [row] = await own.query("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ipcm %' LIMIT 1");
  process.kill(Number(row?.['pid']), 'SIGKILL');
  const sends = Array.from({ length: 50 }, (_, n) => a.sendMessage('b', n));
  await Promise.all(sends);
  await a.sendMessage('b', 'last');
  assert.deepEqual(await reading, ['before', ...Array.from({ length: 50 }, (_, n) => n), 'last']);
  await a.disconnect();
  await b.disconnect();
});

test('a server that does not come back is an error in time, which names the remedy', async (t) => {
  const own = await TestServer.start();
  const protocolOptions = { reconnectTimeout: 300 };
  const route = await own.route();
  const bus = await ipcmSpawn({ protocol, route, guard: false, protocolOptions });
  const a = await bus.connect('a');
  await own.stop();
  const begin = performance.now();
  await assert.rejects(a.sendMessage('a', 1), { code: 'IPCM_STORE_FAILED', message: /cannot be reached; start it/ });
  assert.ok(performance.now() - begin < 5000);
  a.closeSync();
  t.after(() => bus.unspawn().catch(() => undefined));
  const remedy = await codeOf(() =>
    protocol.open(route, { serializer, limits: { maxMessageBytes: 1 }, protocolOptions }),
  );
  assert.ok(remedy === 'IPCM_STORE_FAILED' || remedy === 'IPCM_STORE_MISSING', remedy);
});

test('a lock that somebody holds is waited for, and named when it is held for too long', async (t) => {
  const route = await server.route();
  const store = await create(t, route, { protocolOptions: { lockTimeout: 200 } });
  const patient = await open(t, route);
  const [a] = [await connect(store, 'a'), await connect(store, 'b')];
  const other = new pg.Client(server.settings);
  await other.connect();
  t.after(() => other.end());
  await other.query(`BEGIN; LOCK TABLE ${schemaOf(route)}.ipcm_messages IN ACCESS EXCLUSIVE MODE`);
  await assert.rejects(async () => a.deliver('b', outgoing('a', 'b', 1)), {
    code: 'IPCM_STORE_FAILED',
    message: /others hold the locks.*lockTimeout/,
  });
  const waiting = patient.waiting('b');
  await sleep(1300);
  await other.query('COMMIT');
  assert.equal(await waiting, 0);
  assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 2)), { taken: 1 });
});

test('a deadlock with somebody else is dissolved, and the work is done', async (t) => {
  const route = await server.route();
  const store = await create(t, route);
  const a = await connect(store, 'a');
  const schema = schemaOf(route);
  const other = new pg.Client(server.settings);
  await other.connect();
  t.after(() => other.end());
  await other.query(`SET deadlock_timeout = '10ms'; BEGIN; UPDATE ${schema}.ipcm_lines SET seen = seen`);
  // Takes the row of `a`, then waits for its line.
  const leaving = a.disconnect();
  await sleep(100);
  const crossed = other.query(`UPDATE ${schema}.ipcm_peers SET stats = NULL WHERE id = 'a'`);
  await Promise.allSettled([crossed]);
  await other.query('ROLLBACK');
  await leaving;
  assert.equal(await store.peer('a'), undefined);
});

test('racing processes: of many who take a name one has it, and tables made at once are made once', async (t) => {
  const route = await server.route();
  const made = ['m1', 'm2', 'm3'].map((name) => {
    const child = fork(join(import.meta.dirname, 'racer.ts'), [route, name]);
    t.after(() => child.kill('SIGKILL'));
    return child;
  });
  for (const child of made) await once(child, 'message');
  for (const child of made) child.send('go');
  const outcomes = await Promise.all(made.map(async (child) => ((await once(child, 'message')) as unknown[])[0]));
  assert.deepEqual(outcomes.map(String).sort(), ['IPCM_NAME_TAKEN', 'IPCM_NAME_TAKEN', 'taken']);
  for (const child of made) child.send('end');
});

test('a full disk is an error that says so, and room lets it go on', async (t) => {
  const route = await server.route();
  const store = await create(t, route);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  const schema = schemaOf(route);
  // What the server says of a disk that is full, without one: a volume would need root, and fill up what others need.
  await server.query(
    `CREATE FUNCTION ${schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
  );
  await server.query(
    `CREATE TRIGGER full_disk BEFORE INSERT ON ${schema}.ipcm_messages FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.full()`,
  );
  await server.query(`ALTER TABLE ${schema}.ipcm_messages ENABLE ALWAYS TRIGGER full_disk`);
  assert.equal(await codeOf(() => a.deliver('b', outgoing('a', 'b', 1))), 'IPCM_STORE_FULL');
  await server.query(`DROP TRIGGER full_disk ON ${schema}.ipcm_messages`);
  assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 2)), { taken: 1 });
  assert.deepEqual(contents(await b.receive(everything)), [2]);
});
