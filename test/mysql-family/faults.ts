/** Faults of the way to the server, and of the server: connections cut, locks held, deadlocks, a crash. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildClient } from '../../src/testing/child-process.ts';
import { until } from '../../src/testing/until.ts';
import { Restartable } from '../sql-server/restartable.ts';
import type { Served, TestServer } from './server.ts';
import { ending } from '../sql-server/ending.ts';
import { bus, client, databaseOf, second, take, upTo } from './scene.ts';

async function killAll(server: TestServer, database: string): Promise<number> {
  const found = await server.query('SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = ?', [database]);
  for (const { id } of found) await server.query(`KILL ${String(id)}`).catch(() => undefined);
  return found.length;
}

/** Tests of faults. */
export function faultTests(served: Served): void {
  test('connections that are killed again and again in mid-traffic cost no message, and double none', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const database = databaseOf(made);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const count = 3000;
    let over = false;
    let cuts = 0;
    let sent = 0;
    const cutting = (async () => {
      for (let before = -1; !over; await sleep(30)) {
        // Not faster than a busy machine makes connections: nothing would ever get through.
        if (sent === before) continue;
        before = sent;
        cuts += await killAll(server, database);
      }
    })();
    const sending = (async () => {
      for (; sent < count; sent += 20) await Promise.all(upTo(20).map((n) => a.sendMessage('b', sent + n)));
    })();
    const found = await take(b, count, 60_000);
    await sending;
    over = true;
    await cutting;
    assert.ok(cuts > 3, `${cuts} connections were cut`);
    assert.deepEqual(
      found.map(({ content }) => content),
      upTo(count),
    );
    assert.deepEqual(await b.getMessages(), []);
  });

  test('a lock that others hold is waited for, and beyond lockTimeout is an error that says so', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const other = await second(t, server, databaseOf(made));
    const b = await client(t, made, 'b');
    const patient = await client(t, made, 'patient');
    const hasty = await client(t, made, 'hasty', { protocolOptions: { lockTimeout: 1 } });
    await other.query('BEGIN');
    await other.query("SELECT * FROM ipcm_peers WHERE id = 'b' FOR UPDATE");
    await assert.rejects(async () => hasty.sendMessage('b', 'hasty'), {
      code: 'IPCM_STORE_FAILED',
      message: /lockTimeout/,
    });
    const sent = patient.sendMessage('b', 'patient');
    // Longer than the server itself waits: once it has given up, and it was tried again.
    await sleep(1500);
    await other.query('ROLLBACK');
    await sent;
    assert.deepEqual(
      (await take(b, 1)).map(({ content }) => content),
      ['patient'],
    );
  });

  test('of a deadlock the part that was broken off is done again', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const database = databaseOf(made);
    const other = await second(t, server, database);
    const a = await client(t, made, 'a');
    await client(t, made, 'b').then((b) => b.suspend());
    await a.sendMessage('b', 'lost');
    await server.query(`USE ${database}`);
    // As one that died: whoever takes the name locks the row, and then removes what waits.
    await server.query("UPDATE ipcm_peers SET pid = 99999999, active = 1, ipcm_process = NULL WHERE id = 'b'");
    await other.query('BEGIN');
    // The server breaks off who has changed less.
    await other.query(
      'INSERT INTO ipcm_reaped (name, lost) SELECT UUID(), 0 FROM information_schema.COLUMNS LIMIT 500',
    );
    await other.query("UPDATE ipcm_messages SET broadcast = 1 WHERE `to` = 'b'");
    const coming = client(t, made, 'b');
    // In information_schema.INNODB_TRX nothing is new while somebody asks ten times a second.
    const waits =
      "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'DELETE FROM ipcm_messages%'";
    await until('it waits', async () => Number((await server.query(waits, [database]))[0]?.['n']) > 0);
    await other.query("UPDATE ipcm_peers SET stats = NULL WHERE id = 'b'");
    await other.query('COMMIT');
    const b = await coming;
    await a.sendMessage('b', 'new');
    assert.equal((await take(b, 1))[0]?.content, 'new');
  });

  test('eight processes that make the tables at once all come out right', async (t) => {
    const server = served();
    const database = await server.database();
    const route = await server.route(database);
    const children = upTo(8).map(() => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), server.kind, route], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      ending(t, () => child.kill('SIGKILL'));
      return child;
    });
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    assert.deepEqual(
      codes,
      upTo(8).map(() => 0),
    );
  });

  test('a server that is killed and comes back costs nobody a message', async (t) => {
    const { kind } = served();
    const server = await Restartable.start(t, kind);
    const { user } = server;
    const made = await bus(t, served, { route: server.route, user });
    const [a, b] = [await client(t, made, 'a', { user }), await client(t, made, 'b', { user })];
    const count = 2000;
    const arrived = take(b, count, 60_000);
    for (let at = 0; at < count; at += 20) {
      if (at === 600 || at === 1200) await server.crash();
      await Promise.all(upTo(20).map((n) => a.sendMessage('b', at + n)));
    }
    assert.deepEqual(
      (await arrived).map(({ content }) => content),
      upTo(count),
    );
    await a.disconnect();
    await b.disconnect();
    await made.unspawn();
  });

  test('after a restart, which begins the numbers of connections anew, nobody else is cut off, and we go on', async (t) => {
    const { kind } = served();
    const server = await Restartable.start(t, kind);
    const { user } = server;
    const made = await bus(t, served, { route: server.route, user });
    const [a, b] = [await client(t, made, 'a', { user }), await client(t, made, 'b', { user })];
    const other = await ChildClient.start();
    ending(t, () => other.destroy());
    await other.call('connect', {
      name: 'other',
      info: made.info,
      mode: 'connect',
      protocol: undefined,
      options: { user },
    });
    await a.sendMessage('b', 'before');
    assert.equal((await take(b, 1))[0]?.content, 'before');
    await server.crash();
    await server.serves();
    // They get the numbers that ours had.
    const bystanders = await Promise.all(upTo(60).map(() => server.connect()));
    for (const bystander of bystanders) ending(t, () => bystander.end());
    await other.call('send', { to: 'b', content: 'from the other' });
    await a.sendMessage('b', 'after');
    assert.deepEqual(
      (await take(b, 2)).map(({ content }) => content),
      ['from the other', 'after'],
    );
    for (const bystander of bystanders) await bystander.query('SELECT 1');
  });
}
