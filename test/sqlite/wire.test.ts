/** A database that the reference wrote (test/wire/sqlite.db), and what the reference would do with ours. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { ipcmConnect } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import {
  codeOf,
  connect,
  contents,
  create,
  everything,
  folder,
  open,
  outgoing,
  Report,
  serializer,
  sql,
} from './scene.ts';

const wire = join(import.meta.dirname, '../wire');
const messages = JSON.parse(readFileSync(join(wire, 'messages.json'), 'utf8')) as { id: string; content: unknown }[];

function recorded(t: TestContext): string {
  const route = join(folder(t), 'sqlite.db');
  copyFileSync(join(wire, 'sqlite.db'), route);
  return route;
}

/** The recording with the pid of a living process. */
function living(t: TestContext): string {
  const route = recorded(t);
  const database = new DatabaseSync(route);
  database.prepare('UPDATE ipcm_peers SET pid = ? WHERE pid IS NOT NULL').run(process.ppid);
  database.close();
  return route;
}

test('peers, deadline and statistics are read', async (t) => {
  const store = await open(t, living(t));
  const peers = [...(await store.peers())].sort((a, b) => (a.name < b.name ? -1 : 1));
  assert.deepEqual(
    peers.map(({ name, state, identity }) => [name, state, identity?.pid]),
    [
      ['rx', 'active', process.ppid],
      ['suspended', 'suspended', undefined],
      ['tx', 'active', process.ppid],
    ],
  );
  assert.equal((await store.peer('suspended'))?.expiresAt, 1_900_000_000.5);
  assert.equal((await store.stats()).get('tx')?.sent.get('rx'), 17);
});

test('waiting messages are counted and listed in the order of their stamps', async (t) => {
  const store = await open(t, living(t));
  assert.equal(await store.waiting('rx'), 17);
  assert.deepEqual(
    (await store.unread('rx', 100)).map(({ id }) => id),
    messages.map(({ id }) => id),
  );
  assert.equal((await store.unread('rx', 3)).length, 3);
  assert.deepEqual(await store.unread('nobody', 5), []);
});

for (const acknowledge of [false, true]) {
  test(`its messages are received by who continues its client (acknowledge: ${acknowledge})`, async (t) => {
    const route = recorded(t);
    const rx = await connect(await open(t, route), 'rx', { mode: 'reconnect', acknowledge });
    const incoming = await rx.receive(everything);
    assert.deepEqual(
      contents(incoming),
      messages.map(({ content }) => content),
    );
    const last = incoming.at(-1);
    assert.ok(last !== undefined && 'message' in last && last.message.broadcast);
    if (acknowledge) await rx.acknowledge(incoming.map(({ receipt }) => receipt));
    assert.deepEqual(await rx.receive(everything), []);
    assert.equal(sql(t, route).prepare('SELECT count(*) AS n FROM ipcm_messages').get()?.['n'], 0);
    await rx.disconnect();
  });
}

test('its dead clients are reaped, their rows stay, and its suspended one can be continued', async (t) => {
  const route = recorded(t);
  const store = await open(t, route);
  sql(t, route).exec('UPDATE ipcm_peers SET pid = 2147483647 WHERE pid IS NOT NULL');
  assert.deepEqual(
    (await store.reap()).map(({ name, lost }) => [name, lost]),
    [
      ['rx', 17],
      ['tx', 0],
    ],
  );
  assert.deepEqual(await store.reap(), []);
  assert.deepEqual(
    (await store.reaped()).map(({ name }) => name),
    ['rx', 'tx'],
  );
  const rows = sql(t, route).prepare('SELECT id, pid, active, stats FROM ipcm_peers WHERE id <> ?').all('suspended');
  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      { id: 'rx', pid: null, active: null, stats: null },
      { id: 'tx', pid: null, active: null, stats: null },
    ],
  );
  const again = await connect(store, 'suspended', { mode: 'reconnect' });
  assert.equal((await store.peer('suspended'))?.state, 'active');
  await again.disconnect();
});

test('a message of the reference that waits for one who has left is not for the next of that name', async (t) => {
  const store = await create(t);
  const first = await connect(store, 'rx');
  await first.disconnect();
  const database = sql(t, store.route);
  insertAsReference(database, 'rx', 'rx', 1);
  const next = await connect(store, 'rx');
  assert.deepEqual(await next.receive(everything), []);
});

function insertAsReference(database: DatabaseSync, from: string, to: string, ...numbers: unknown[]): void {
  const insert = database.prepare(
    'INSERT INTO ipcm_messages(`id`, `to`, `from`, `stamp`, `content`, `broadcast`) VALUES (?, ?, ?, ?, ?, ?)',
  );
  // Several under one stamp, with ids that do not rise: its order within the stamp is that of the rows.
  for (const content of numbers) {
    insert.run(crypto.randomUUID(), to, from, 1_800_000_000.5, serializer.serialize(content), 0);
  }
}

test('the reference joins, sends, reads and leaves in tables that we made', async (t) => {
  const store = await create(t);
  const ours = await connect(store, 'ours');
  const theirs = sql(t, store.route);
  theirs.exec('PRAGMA foreign_keys = ON');
  theirs.prepare('INSERT INTO ipcm_peers(`id`, `pid`) VALUES (?, ?)').run('theirs', process.ppid);
  assert.equal((await store.peer('theirs'))?.state, 'active');
  assert.equal((await store.peer('theirs'))?.identity?.pid, process.ppid);

  insertAsReference(theirs, 'theirs', 'ours', 1, 2, 3, 4, 5);
  assert.deepEqual(contents(await ours.receive(everything)), [1, 2, 3, 4, 5]);

  await ours.deliver('theirs', outgoing('ours', 'theirs', 'a', { b: 1 }));
  const rows = theirs.prepare('SELECT * FROM ipcm_messages WHERE `to` = ? ORDER BY stamp ASC').all('theirs');
  assert.deepEqual(
    rows.map(({ from, content, broadcast }) => [from, Buffer.from(content as Uint8Array).toString(), broadcast]),
    [
      ['ours', '"a"', 0],
      ['ours', '{"b":1}', 0],
    ],
  );
  theirs.prepare('DELETE FROM ipcm_messages WHERE `to` = ?').run('theirs');
  theirs.prepare('UPDATE ipcm_peers SET pid = NULL, active = NULL, suspend_expires = NULL WHERE id = ?').run('theirs');
  assert.equal(await store.peer('theirs'), undefined);
  assert.equal(await codeOf(() => ours.deliver('theirs', outgoing('ours', 'theirs', 1))), 'IPCM_PEER_GONE');
});

test('a reader that waits finds what the reference inserts, which gives no hint, with the next look', async (t) => {
  const store = await create(t);
  const info = JSON.stringify([protocol.className, 'JSON', store.route]);
  const reader = await ipcmConnect('reader', info, { protocol });
  const theirs = sql(t, store.route);
  theirs.prepare('INSERT INTO ipcm_peers(`id`, `pid`) VALUES (?, ?)').run('theirs', process.ppid);
  const waiting = reader.getMessages({ timeout: 20_000 });
  await new Promise(setImmediate);
  const begin = performance.now();
  insertAsReference(theirs, 'theirs', 'reader', 'unannounced');
  const [message] = await waiting;
  const took = performance.now() - begin;
  assert.equal(message?.content, 'unannounced');
  // It looks four times a second.
  assert.ok(took < 2000, `${took} ms`);
  await reader.disconnect();
});

test('a client that we left is nobody to the reference; one that is leaving still has its pid', async (t) => {
  const store = await create(t);
  const client = await connect(store, 'a');
  const row = (): unknown => ({ ...sql(t, store.route).prepare('SELECT pid, active FROM ipcm_peers').get() });
  await client.seal();
  assert.deepEqual(row(), { pid: process.pid, active: null });
  assert.equal((await store.peer('a'))?.state, 'leaving');
  await client.disconnect();
  assert.deepEqual(row(), { pid: null, active: null });
});

test('when the reference takes over a row, what we had written beside its pid means nothing', async (t) => {
  const store = await create(t);
  await connect(store, 'a', {
    identity: { pid: 2147483647, start: '1', boot: undefined, namespace: undefined },
    acknowledge: true,
  });
  assert.equal((await store.peer('a'))?.state, 'dead');
  sql(t, store.route).prepare('UPDATE ipcm_peers SET pid = ?').run(process.ppid);
  assert.equal((await store.peer('a'))?.state, 'active');
  assert.deepEqual(await store.reap(), []);
  const report = new Report();
  assert.equal(await codeOf(() => connect(store, 'a', { report })), 'IPCM_NAME_TAKEN');
});
