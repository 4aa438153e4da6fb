/** What is sent at once, and of which the server takes only a part: everything is there once, or nothing and an error says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../src/testing/until.ts';
import { connect, contents, everything, outgoing } from '../postgresql/scene.ts';
import { ending } from '../sql-server/ending.ts';
import { second, upTo } from './scene.ts';
import type { Served } from './server.ts';
import { create } from '../sql-server/stores.ts';
import { scene } from '../sql-server/unknown.ts';

const databaseIn = (route: string): string => /database=(\w+)/.exec(route)?.[1] ?? '';

/** Makes a transaction of another connection so large that the server breaks off ours when the two are deadlocked. */
const heavy = 'INSERT INTO ipcm_reaped (name, lost) SELECT UUID(), 0 FROM information_schema.COLUMNS LIMIT 500';

/** Tests of what is sent at once. */
export function pipelineTests(served: Served): void {
  for (const [count, what] of [
    [1, 'a message'],
    [300, 'a batch of several statements'],
  ] as const) {
    test(`${what} is there once when its mark has to wait for too long`, async (t) => {
      const server = served();
      const route = await server.route();
      const store = await create(t, server, route);
      const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
      await a.deliver('b', outgoing('a', 'b', 'first'));
      const other = await second(t, server, databaseIn(route));
      await other.query('BEGIN');
      await other.query('SELECT * FROM ipcm_lines FOR UPDATE');
      const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...upTo(count))));
      const waits =
        "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE '%ipcm_lines%'";
      const waiting = async (): Promise<boolean> =>
        Number((await server.query(waits, [databaseIn(route)]))[0]?.['n']) > 0;
      await until('the mark waits', waiting);
      await until('it has given up', async () => !(await waiting()));
      await other.query('ROLLBACK');
      assert.deepEqual(await delivery, { taken: count });
      assert.deepEqual(contents(await b.receive(everything)), ['first', ...upTo(count)]);
      assert.deepEqual(await b.receive(everything), []);
    });
  }

  test('a message is there once when its transaction is broken off at its mark', async (t) => {
    const server = served();
    const route = await server.route();
    const store = await create(t, server, route);
    const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
    await a.deliver('b', outgoing('a', 'b', 'first'));
    const other = await second(t, server, databaseIn(route));
    await other.query('BEGIN');
    await other.query(heavy);
    await other.query('SELECT * FROM ipcm_lines FOR UPDATE');
    const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', 'second')));
    const waits = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE '%ipcm_lines%'";
    await until('it waits', async () => Number((await server.query(waits, [databaseIn(route)]))[0]?.['n']) > 0);
    await other.query("UPDATE ipcm_peers SET stats = NULL WHERE id = 'b'");
    await other.query('ROLLBACK');
    assert.deepEqual(await delivery, { taken: 1 });
    assert.deepEqual(contents(await b.receive(everything)), ['first', 'second']);
    assert.deepEqual(await b.receive(everything), []);
  });

  test('messages that are put back are there once when that is broken off in the midst', async (t) => {
    const server = served();
    const route = await server.route();
    const store = await create(t, server, route);
    const b = await connect(store, 'b');
    const messages = outgoing('a', 'b', ...upTo(50));
    const [first, tenth] = [messages[0], messages[10]];
    assert.ok(first !== undefined && tenth !== undefined);
    const other = await second(t, server, databaseIn(route));
    await other.query('BEGIN');
    await other.query(heavy);
    await other.query('SET foreign_key_checks = 0');
    const row =
      "INSERT INTO ipcm_messages (id, `to`, `from`, stamp, content, broadcast) VALUES (?, 'x', 'x', 1, '1', 0)";
    await other.query(row, [tenth.message.id]);
    const put = Promise.resolve(b.requeue(messages));
    const waits =
      "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'INSERT INTO ipcm_messages%'";
    await until('it waits', async () => Number((await server.query(waits, [databaseIn(route)]))[0]?.['n']) > 0);
    await other.query('UPDATE ipcm_messages SET broadcast = 1 WHERE id = ?', [first.message.id]);
    await other.query('ROLLBACK');
    await put;
    assert.deepEqual(contents(await b.receive(everything)), upTo(50));
    assert.deepEqual(await b.receive(everything), []);
  });

  test('a connection that is lost here alone is ended at the server before what it sends is sent again', async (t) => {
    const { proxy, direct, far } = await scene(t, served);
    const b = await connect(direct, 'b');
    const a = await connect(far, 'a');
    for (const contentsToSend of [['one'], upTo(300)]) {
      await a.deliver('b', outgoing('a', 'b', 'first'));
      proxy.lost = 0;
      proxy.from = { mark: 'COMMIT', lose: 'questions' };
      const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...contentsToSend)));
      await until('the end was lost', () => proxy.lost > 0);
      // The server has the rest, and holds its locks.
      proxy.cut({ leaveOpen: true });
      assert.deepEqual(await delivery, { taken: contentsToSend.length });
      assert.deepEqual(contents(await b.receive(everything)), ['first', ...contentsToSend]);
    }
  });

  test('a line whose row was removed leaves its marks again', async (t) => {
    const { server, proxy, route, direct, far } = await scene(t, served);
    const b = await connect(direct, 'b');
    const a = await connect(far, 'a');
    for (const count of [1, 300]) {
      await a.deliver('b', outgoing('a', 'b', 'first'));
      assert.deepEqual(contents(await b.receive(everything)), ['first']);
      const other = await second(t, server, databaseIn(route));
      await other.query('DELETE FROM ipcm_lines');
      proxy.from = { mark: 'COMMIT', lose: 'answers' };
      const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...upTo(count))));
      await until('it is there', async () => (await direct.waiting('b')) === count);
      assert.deepEqual(contents(await b.receive(everything)), upTo(count));
      proxy.cut();
      assert.deepEqual(await delivery, { taken: count });
      assert.deepEqual(await b.receive(everything), []);
    }
  });

  test('a server without space is an error that says so, and when there is some again all goes on', async (t) => {
    const server = served();
    const route = await server.route();
    const database = databaseIn(route);
    const store = await create(t, server, route);
    const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
    const full = (name: string, when: string, table: string): Promise<unknown> =>
      server.query(
        `CREATE TRIGGER ${database}.${name} BEFORE ${when} ON ${database}.${table} FOR EACH ROW ` +
          "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'",
      );
    await a.deliver('b', outgoing('a', 'b', 'before'));
    await full('inserting', 'INSERT', 'ipcm_messages');
    ending(t, () => server.query(`DROP TRIGGER IF EXISTS ${database}.inserting`));
    for (const count of [1, 5, 300]) {
      await assert.rejects(async () => a.deliver('b', outgoing('a', 'b', ...upTo(count))), { code: 'IPCM_STORE_FULL' });
    }
    await assert.rejects(async () => b.requeue(outgoing('a', 'b', 'back')), { code: 'IPCM_STORE_FULL' });
    assert.equal(await store.waiting('b'), 1);
    await server.query(`DROP TRIGGER ${database}.inserting`);
    // Where the message has its place and the mark has none, it is there.
    await full('marking', 'UPDATE', 'ipcm_lines');
    assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 'unmarked')), { taken: 1 });
    await server.query(`DROP TRIGGER ${database}.marking`);
    await b.requeue(outgoing('a', 'b', 'back'));
    assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 'after')), { taken: 1 });
    assert.deepEqual(contents(await b.receive(everything)), ['back', 'before', 'unmarked', 'after']);
  });
}
