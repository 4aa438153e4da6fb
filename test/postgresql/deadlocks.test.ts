/** Real deadlocks, in which the server breaks off our transaction: it is run again, and nothing is lost or comes twice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test, type TestContext } from 'node:test';
import pg from 'pg';
import type { Connection } from '../../src/protocol/protocol.ts';
import { logPath } from '../../src/protocols/sql-server/private/folder.ts';
import { until } from '../../src/testing/until.ts';
import { upTo } from '../mysql-family/scene.ts';
import { schemaOf } from '../sql-server/server.ts';
import { connect, contents, create, everything, outgoing } from './scene.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

interface Scene {
  readonly a: Connection;
  readonly b: Connection;
  /** A transaction of somebody else, who is never the one that is broken off. */
  readonly other: pg.Client;
  /** Resolves when something of ours waits for a lock of the other's. */
  readonly waits: () => Promise<void>;
  /** How many transactions the server has broken off. */
  readonly broken: () => number;
}

async function scene(t: TestContext): Promise<Scene> {
  const made = await server.route();
  // Whoever finds the deadlock is broken off. Ours looks once, before it would give up waiting for the lock.
  const store = await create(t, made.replace('-c search_path', '-c deadlock_timeout=600ms -c search_path'));
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  const other = new pg.Client(server.settings);
  await other.connect();
  t.after(() => other.end());
  await other.query(`SET deadlock_timeout = '1h'; SET search_path = ${schemaOf(made)}`);
  const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE ${String(rows[0]?.pid)} = ANY (pg_blocking_pids(pid))`;
  const waits = (): Promise<void> => until('it waits', async () => (await server.query(waiting)).length > 0);
  const broken = (): number =>
    readFileSync(logPath(server.folder), 'utf8').split('ERROR:  deadlock detected').length - 1;
  return { a, b, other, waits, broken };
}

/** Does something until the server has broken it off: on a machine that is busy the other may come too late for a deadlock. */
async function untilBroken({ broken, other }: Scene, attempt: () => Promise<void>): Promise<void> {
  const before = broken();
  const end = performance.now() + 50_000;
  while (broken() === before) {
    assert.ok(performance.now() < end, 'there was no deadlock in time');
    await other.query('BEGIN');
    await attempt();
  }
}

for (const [count, what] of [
  [1, 'a message'],
  [300, 'a batch'],
] as const) {
  test(`${what} whose transaction is broken off in a deadlock is there once`, async (t) => {
    const made = await scene(t);
    const { a, b, other, waits } = made;
    await untilBroken(made, async () => {
      // With the rows for marks in place, which the first message makes.
      await a.deliver('b', outgoing('a', 'b', 'first'));
      await other.query('SELECT * FROM ipcm_lines FOR UPDATE');
      const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...upTo(count))));
      await waits();
      // Which ours holds.
      await other.query("SELECT * FROM ipcm_peers WHERE id = 'b' FOR UPDATE");
      await other.query('ROLLBACK');
      assert.deepEqual(await delivery, { taken: count });
      assert.deepEqual(contents(await b.receive(everything)), ['first', ...upTo(count)]);
      assert.deepEqual(await b.receive(everything), []);
    });
  });
}

test('messages that are put back are there once when that is broken off in a deadlock', async (t) => {
  const made = await scene(t);
  const { a, b, other, waits } = made;
  await untilBroken(made, async () => {
    await a.deliver('b', outgoing('a', 'b', 'first'));
    const messages = outgoing('a', 'b', ...upTo(50));
    const insert = (n: number): Promise<unknown> =>
      other.query(
        `INSERT INTO ipcm_messages (id, "to", "from", stamp, content, broadcast) VALUES ($1, 'b', 'a', 1, '1', false)`,
        [messages[n]?.message.id],
      );
    await insert(10);
    const put = Promise.resolve(b.requeue(messages));
    await waits();
    // One that ours has put back already.
    await insert(0);
    await other.query('ROLLBACK');
    await put;
    assert.deepEqual(contents(await b.receive(everything)), [...upTo(50), 'first']);
    assert.deepEqual(await b.receive(everything), []);
  });
});
