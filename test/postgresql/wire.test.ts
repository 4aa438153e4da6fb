/** Rows as the reference writes and reads them, and ours as SQL sees them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ipcmSpawn } from '../../src/bus.ts';
import { Message } from '../../src/message/message.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { until } from '../../src/testing/until.ts';
import { TestServer } from './server.ts';
import { codeOf, connect, contents, create, everything, open, outgoing, Report, serializer } from './scene.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

/** The reference's own words, in the schema of a route. */
const wire = [
  'CREATE TABLE ipcm_peers("id" VARCHAR(512) NOT NULL PRIMARY KEY, "pid" INTEGER DEFAULT NULL, "active" NUMERIC DEFAULT EXTRACT(EPOCH FROM NOW()), "stats" BYTEA DEFAULT NULL, "suspend_expires" NUMERIC DEFAULT NULL)',
  'CREATE TABLE ipcm_messages("id" UUID NOT NULL PRIMARY KEY, "to" VARCHAR(512) NOT NULL REFERENCES ipcm_peers(id) ON DELETE CASCADE, "from" VARCHAR(512) NOT NULL REFERENCES ipcm_peers(id) ON DELETE CASCADE, "stamp" NUMERIC NOT NULL, "content" BYTEA NOT NULL, "broadcast" BOOL NOT NULL DEFAULT FALSE)',
];

/** A route and a way to run statements in its schema. */
async function schema(): Promise<{
  route: string;
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
}> {
  const route = await server.route();
  const name = /search_path=(\w+)/.exec(route)?.[1] ?? '';
  const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => {
    await server.query(`SET search_path = ${name}`);
    return server.query(text, values);
  };
  return { route, sql };
}

const insert =
  'INSERT INTO ipcm_messages("id", "to", "from", "stamp", "content", "broadcast") VALUES ($1, $2, $3, $4, $5, $6)';

test('what the reference sends is received, in the order of stamps and then of arrival', async (t) => {
  const { route, sql } = await schema();
  for (const statement of wire) await sql(statement);
  await sql('INSERT INTO ipcm_peers(id, pid) VALUES ($1, $2)', ['perl', process.ppid]);
  const store = await open(t, route);
  const rx = await connect(store, 'rx');
  const send = (stamp: string, content: unknown, broadcast = false): Promise<unknown> =>
    sql(insert, [randomUUID(), 'rx', 'perl', stamp, serializer.serialize(content), broadcast]);
  await send('1700000000.5', 'second');
  await send('1700000000.5', 'third');
  await send('1700000000.123456', { first: '\u{1F680}' }, true);
  const incoming = await rx.receive(everything);
  assert.deepEqual(contents(incoming), [{ first: '\u{1F680}' }, 'second', 'third']);
  const [first, second] = incoming;
  assert.ok(first !== undefined && 'message' in first && second !== undefined && 'message' in second);
  assert.deepEqual(
    [first.message.stamp, first.message.broadcast, first.message.from],
    [1700000000.123456, true, 'perl'],
  );
  assert.equal(second.message.broadcast, false);
  assert.deepEqual(await sql('SELECT 1 FROM ipcm_messages'), []);
  await rx.disconnect();
});

test('what we send is what the reference reads: columns, microseconds, bytes', async (t) => {
  const { route, sql } = await schema();
  const store = await create(t, route);
  await sql('INSERT INTO ipcm_peers(id, pid) VALUES ($1, $2)', ['perl', process.ppid]);
  const tx = await connect(store, 'tx');
  const batch = outgoing('tx', 'perl', 'one', { two: [2, null, 'ü'] }, 'three');
  assert.deepEqual(await tx.deliver('perl', batch), { taken: 3 });
  assert.deepEqual(await tx.deliver('perl', outgoing('tx', 'perl', 'alone')), { taken: 1 });
  const rows = await sql(
    'SELECT id, "from", stamp::text, content, broadcast FROM ipcm_messages WHERE "to" = $1 ORDER BY stamp',
    ['perl'],
  );
  assert.deepEqual(
    rows.slice(0, 3),
    batch.map(({ message: { id, stamp }, bytes }) => ({
      id,
      from: 'tx',
      stamp: String(stamp),
      content: Buffer.from(bytes),
      broadcast: false,
    })),
  );
  assert.equal(rows.length, 4);
  const [peer] = await sql(
    'SELECT pid, active::float8 > 1e9 AS active, stats, suspend_expires FROM ipcm_peers WHERE id = $1',
    ['tx'],
  );
  assert.deepEqual(peer, { pid: process.pid, active: true, stats: null, suspend_expires: null });
  await tx.disconnect();
  const [gone] = await sql('SELECT pid, active, suspend_expires FROM ipcm_peers WHERE id = $1', ['tx']);
  assert.deepEqual(gone, { pid: null, active: null, suspend_expires: null });
});

test('an id that is no UUID stays as it is, for one who waits twice as well', async (t) => {
  const { route } = await schema();
  const store = await create(t, route);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b', { acknowledge: true })];
  const ids = ['given', 'ABCDEF00-0000-4000-8000-000000000000', '007', 'a"\\,{}\'NULL', 'NULL'];
  const batch = ids.map((id) => {
    const message = new Message({ id, from: 'a', to: 'b', content: id });
    return { message, bytes: serializer.serialize(id) };
  });
  assert.deepEqual(await a.deliver('b', batch), { taken: batch.length });
  const [again] = batch;
  assert.ok(again !== undefined);
  assert.equal((await a.deliver('b', [again])).error?.code, 'IPCM_STORE_FAILED');
  assert.deepEqual(
    (await store.unread('b', 10)).map(({ id }) => id),
    ids,
  );
  const incoming = await b.receive(everything);
  assert.deepEqual(contents(incoming), ids);
  assert.deepEqual(
    incoming.map((one) => ('message' in one ? one.message.id : '')),
    ids,
  );
  await b.acknowledge(incoming.map(({ receipt }) => receipt));
  assert.equal(await store.waiting('b'), 0);
});

test('a dead client of the reference is reaped, a suspended one is continued', async (t) => {
  const { route, sql } = await schema();
  for (const statement of wire) await sql(statement);
  await sql(
    `INSERT INTO ipcm_peers(id, pid, active, suspend_expires) VALUES ('dead', 999999, 1, NULL), ('asleep', NULL, 1, 1900000000.5), ('live', ${process.ppid}, 1, NULL), ('gone', NULL, NULL, NULL)`,
  );
  await sql(insert, [randomUUID(), 'dead', 'live', 1, serializer.serialize('lost'), false]);
  await sql(insert, [randomUUID(), 'asleep', 'live', 2, serializer.serialize('kept'), false]);
  const store = await open(t, route);
  const states = Object.fromEntries(
    (await store.peers()).map(({ name, state, expiresAt }) => [name, [state, expiresAt]]),
  );
  assert.deepEqual(states, {
    dead: ['dead', undefined],
    asleep: ['suspended', 1_900_000_000.5],
    live: ['active', undefined],
  });
  assert.deepEqual(await store.reap(), [{ name: 'dead', pid: 999_999, lost: 1 }]);
  assert.equal(await codeOf(() => connect(store, 'live')), 'IPCM_NAME_TAKEN');
  const asleep = await connect(store, 'asleep', { mode: 'reconnect', report: new Report() });
  assert.deepEqual(contents(await asleep.receive(everything)), ['kept']);
  assert.deepEqual(await store.reaped(), [{ name: 'dead', pid: 999_999, lost: 1 }]);
});

test('two stores in two schemas of one database do not see each other', async (t) => {
  const [one, two] = [await schema(), await schema()];
  const [first, second] = [await create(t, one.route), await create(t, two.route)];
  await connect(first, 'a');
  assert.deepEqual((await second.peers()).length, 0);
  await second.remove();
  assert.equal((await first.peers()).length, 1);
  assert.equal(await codeOf(() => open(t, two.route)), 'IPCM_STORE_MISSING');
});

test('an id that no text of the database can hold costs its message alone', async (t) => {
  const bus = await ipcmSpawn({ protocol, route: await server.route(), guard: false });
  t.after(() => bus.unspawn());
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  const ids = [randomUUID(), 'null\0byte', randomUUID()];
  const sends = ids.map((id, content) => a.sendMessage(new Message({ id, from: 'a', to: 'b', content })));
  const outcomes = await Promise.allSettled(sends);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await assert.rejects(async () => sends[1], { code: 'IPCM_STORE_FAILED', message: /null byte.*use another id/ });
  const found = await b.getMessages();
  assert.deepEqual(
    found.map(({ content }) => content),
    [0, 2],
  );
});

for (const setting of ['never set', 'reset'] as const) {
  test(`a reader that waits is woken by what others insert (its own setting was ${setting} there)`, async (t) => {
    const { route, sql } = await schema();
    const bus = await ipcmSpawn({ protocol, route, guard: false, serializer: 'JSON' });
    t.after(() => bus.unspawn());
    const reader = await bus.connect('reader');
    await sql('INSERT INTO ipcm_peers(id, pid) VALUES ($1, $2)', ['perl', process.ppid]);
    const other = new pg.Client(server.settings);
    await other.connect();
    t.after(() => other.end());
    await other.query(`SET search_path = ${/search_path=(\w+)/.exec(route)?.[1] ?? ''}`);
    if (setting === 'reset') await other.query("SET ipcm.telling = 'yes'; RESET ipcm.telling");
    const hints: unknown[] = [];
    other.on('notification', ({ payload }) => hints.push(payload));
    const listening =
      "SELECT 'ipcm_' || substr(encode(sha256(convert_to(current_schema() || '/reader', 'UTF8')), 'hex'), 1, 40) AS channel";
    const { rows } = await other.query<{ channel: string }>(listening);
    await other.query(`LISTEN "${rows[0]?.channel ?? ''}"`);
    const send = async (content: string): Promise<number> => {
      const waiting = reader.getMessages({ timeout: 8000 });
      const begin = performance.now();
      await other.query(insert, [randomUUID(), 'reader', 'perl', 1, serializer.serialize(content), false]);
      const [message] = await waiting;
      assert.equal(message?.content, content);
      return performance.now() - begin;
    };
    // The look that needs no hint comes after ten seconds.
    const first = await send('first');
    assert.ok(first < 5000, `the first took ${first} ms`);
    const ended = await sql(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'ipcm %'",
    );
    assert.ok(ended.length > 0);
    const second = await send('second');
    assert.ok(second < 5000, `the one after the connection was cut took ${second} ms`);
    await until('the hints have come', () => hints.length === 2);
    assert.deepEqual(hints, ['', '']);
    await reader.disconnect();
  });
}
