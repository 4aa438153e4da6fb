/** Many processes on one file. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ipcmConnect } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import { Child, codeOf, connect, create, deadIdentity, everything, folder, open, outgoing, sql } from './scene.ts';

const processes = 16;
const each = 100;

test('sixteen processes write at once: nobody meets a lock, nothing is lost, order is kept', async (t) => {
  const store = await create(t);
  const info = JSON.stringify([protocol.className, 'JSON', store.route]);
  const reader = await ipcmConnect('reader', info, { protocol });
  const children = Array.from({ length: processes }, (_, n) => new Child(t, 'send', store.route, `w${n}`, `${each}`));
  await Promise.all(children.map((child) => child.said()));
  for (const child of children) child.go();
  const next = new Map<string, number>();
  let count = 0;
  for await (const { from, content } of reader.messages()) {
    assert.equal((content as { n: number }).n, next.get(from) ?? 0, `of ${from} in order`);
    next.set(from, (next.get(from) ?? 0) + 1);
    if (++count === processes * each) break;
  }
  for (const child of children) assert.deepEqual(await child.said(), []);
  assert.deepEqual(await reader.getMessages(), []);
  await reader.disconnect();
});

test('of processes that make the tables at once each finds a whole store', async (t) => {
  const route = join(folder(t), 'bus.db');
  const children = Array.from({ length: 6 }, () => new Child(t, 'create', route));
  await Promise.all(children.map((child) => child.said()));
  for (const child of children) child.go();
  for (const child of children) assert.equal(await child.said(), 'made');
  const a = await connect(await open(t, route), 'a');
  assert.equal((await a.deliver('a', outgoing('a', 'a', 1))).taken, 1);
});

test('of processes that remove a store at once none fails', async (t) => {
  for (let round = 0; round < 3; round++) {
    const { route } = await create(t);
    const children = Array.from({ length: 4 }, () => new Child(t, 'remove', route));
    await Promise.all(children.map((child) => child.said()));
    for (const child of children) child.go();
    for (const child of children) assert.equal(await child.said(), 'removed');
    assert.ok(!existsSync(route));
  }
});

for (const held of [false, true]) {
  test(`of processes that want ${held ? "a dead client's" : 'a free'} name one gets it`, async (t) => {
    const store = await create(t);
    if (held) await connect(store, 'wanted', { identity: deadIdentity() });
    const children = Array.from({ length: 6 }, () => new Child(t, 'take', store.route, 'wanted'));
    await Promise.all(children.map((child) => child.said()));
    for (const child of children) child.go();
    const outcomes = await Promise.all(children.map((child) => child.said()));
    assert.deepEqual(outcomes.map(String).sort(), [...Array.from({ length: 5 }, () => 'IPCM_NAME_TAKEN'), 'taken']);
    assert.equal((await store.reaped()).length, held ? 1 : 0, 'and the dead one is reaped once');
    for (const child of children) child.go();
  });
}

test('while somebody holds the lock work waits and the event loop does not', async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  await a.deliver('b', outgoing('a', 'b', 0));
  const child = new Child(t, 'lock', store.route, '', '300');
  await child.said();
  child.go();
  assert.equal(await child.said(), 'locked');
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  const [delivery, received] = await Promise.all([
    a.deliver('b', outgoing('a', 'b', 1)),
    b.receive(everything),
    b.writeStats({ sent: new Map(), read: new Map([['a', 1]]) }),
    connect(store, 'c'),
  ]);
  clearInterval(timer);
  assert.equal(delivery.taken, 1);
  assert.ok(received.length >= 1);
  assert.ok(turns > 10, `${turns} turns of a timer`);
  assert.equal(await child.said(), 'let go');
});

test('after lockTimeout it is an error that tells who is to blame, and nothing has been sent', async (t) => {
  const store = await create(t);
  const impatient = await open(t, store.route, { protocolOptions: { lockTimeout: 50 } });
  const a = await connect(impatient, 'a');
  const other = sql(t, store.route);
  other.exec('BEGIN IMMEDIATE');
  assert.equal(await codeOf(() => a.deliver('a', outgoing('a', 'a', 1))), 'IPCM_STORE_FAILED');
  other.exec('COMMIT');
  assert.deepEqual(await a.receive(everything), []);
});

test('at the end of the process a lock is waited for, a moment', async (t) => {
  const store = await create(t);
  const a = await connect(store, 'a');
  const child = new Child(t, 'lock', store.route, '', '100');
  await child.said();
  child.go();
  assert.equal(await child.said(), 'locked');
  // Not to be awaited: the process ends.
  void Promise.resolve(a.writeStats({ sent: new Map([['b', 3]]), read: new Map() })).catch(() => undefined);
  a.closeSync();
  assert.equal(await store.peer('a'), undefined);
  assert.deepEqual((await store.stats()).get('a')?.sent, new Map([['b', 3]]));
});

test('in a rollback journal, as the reference leaves it, everything works as well', async (t) => {
  const store = await create(t);
  await store.close();
  const holder = new DatabaseSync(store.route);
  t.after(() => holder.close());
  holder.exec('PRAGMA journal_mode = DELETE');
  // A reader keeps others from changing the mode back.
  holder.exec('BEGIN; SELECT * FROM ipcm_peers');
  const opening = open(t, store.route);
  await new Promise((resolve) => setTimeout(resolve, 20));
  holder.exec('COMMIT');
  const a = await connect(await opening, 'a');
  assert.equal((await a.deliver('a', outgoing('a', 'a', 1))).taken, 1);
  assert.equal((await a.receive(everything)).length, 1);
});
