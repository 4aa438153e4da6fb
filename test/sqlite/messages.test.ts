/** What is peculiar to messages that are rows. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { Message } from '../../src/message/message.ts';
import {
  codeOf,
  connect,
  contents,
  create,
  everything,
  open,
  options,
  outgoing,
  Report,
  serializer,
  sql,
} from './scene.ts';
import { ipcmConnect } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';

test('ids that look like numbers stay as they are', async (t) => {
  const a = await connect(await create(t), 'a');
  const ids = ['007', '1e5', ' 12 ', '-0', '.5', '9'.repeat(40), '0x10', 'plain', `';--`];
  const batch = ids.map((id) => {
    const message = new Message({ id, from: 'a', to: 'a', content: 1 });
    return { message, bytes: serializer.serialize(1) };
  });
  await a.deliver('a', batch);
  const got = await a.receive(everything);
  assert.deepEqual(
    got.map((one) => 'message' in one && one.message.id),
    ids,
  );
});

test('an id that waits already costs that message alone', async (t) => {
  const store = await create(t);
  await connect(store, 'b');
  const route = JSON.stringify([protocol.className, 'JSON', store.route]);
  const client = await ipcmConnect('a', route, { protocol });
  const sends = [1, 2, 3, 4, 5].map((n) => client.sendMessage('b', n, { id: n === 3 || n === 4 ? 'same' : `id-${n}` }));
  const outcomes = await Promise.allSettled(sends);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  const [failed] = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.match(String(failed?.reason), /same/);
  assert.equal(await store.waiting('b'), 4);
  await client.disconnect();
});

test('a message put back while its id waits for somebody else is not lost', async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  const [copy] = outgoing('a', 'b', 'x');
  assert.ok(copy !== undefined);
  await a.deliver('b', [copy]);
  await b.receive(everything);
  await a.deliver('a', [copy]);
  await b.requeue([copy]);
  assert.deepEqual(contents(await b.receive(everything)), ['x']);
  assert.deepEqual(contents(await a.receive(everything)), ['x']);
});

test('what is put back comes first whatever its stamp, also from senders that never were clients', async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  await a.deliver('b', outgoing('a', 'b', 'waits'));
  await b.requeue(outgoing('stranger', 'b', 1));
  await b.requeue(outgoing("x'); DROP TABLE ipcm_peers; --", 'b', 2, 3));
  assert.equal(await store.peer('stranger'), undefined);
  assert.deepEqual(contents(await b.receive({ messages: 2, bytes: 1 << 20 })), [1, 2]);
  assert.deepEqual(contents(await b.receive({ messages: 2, bytes: 1 << 20 })), [3, 'waits']);
  assert.deepEqual(await b.receive(everything), []);
});

test('a slice keeps to its limits, and one message comes in any case', async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  const texts = [10, 200_000, 10, 70_000, 70_000].map((length) => 'x'.repeat(length));
  await a.deliver('b', outgoing('a', 'b', ...texts));
  const lengths = async (bytes: number): Promise<number[]> =>
    contents(await b.receive({ messages: 4, bytes })).map((text) => String(text).length);
  assert.deepEqual(await lengths(100), [10]);
  assert.deepEqual(await lengths(100), [200_000]);
  assert.deepEqual(await lengths(100_000), [10, 70_000]);
  assert.deepEqual(await lengths(100_000), [70_000]);
});

for (const acknowledge of [false, true]) {
  test(`a row over the limit is not even read, and is gone (acknowledge: ${acknowledge})`, async (t) => {
    const store = await create(t);
    const reading = await open(t, store.route, { limits: { maxMessageBytes: 1000 } });
    const report = new Report();
    const [a, b] = [await connect(store, 'a'), await connect(reading, 'b', { report, acknowledge })];
    await a.deliver('b', outgoing('a', 'b', 1, 'x'.repeat(2000), 'y'.repeat(200_000), 2));
    assert.deepEqual(contents(await b.receive(everything)), [1, 2]);
    assert.deepEqual(
      report.errors.map(({ code }) => code),
      ['IPCM_MESSAGE_TOO_LARGE', 'IPCM_MESSAGE_TOO_LARGE'],
    );
    assert.equal(await store.waiting('b'), acknowledge ? 2 : 0);
  });
}

const garbage: Readonly<Record<string, unknown>> = {
  'no bytes': new Uint8Array(0),
  'half a text': Buffer.from('{"cut'),
  'invalid UTF-8': Buffer.from([0x22, 0xff, 0xfe, 0x22]),
  'text instead of bytes': '{"cut',
  'a number instead of bytes': 12.5e300,
};

for (const acknowledge of [false, true]) {
  test(`rows that are no messages: an event each, kept aside, and nothing else is lost (ack: ${acknowledge})`, async (t) => {
    const store = await create(t);
    const route = JSON.stringify([protocol.className, 'JSON', store.route]);
    const b = await ipcmConnect('b', route, { protocol, ack: acknowledge });
    const rejected: string[] = [];
    b.on('rejected', ({ code }) => rejected.push(code));
    await b.sendMessage('b', 'first');
    const database = sql(t, store.route);
    const insert = database.prepare("INSERT INTO ipcm_messages VALUES (?, 'b', 'b', ?, ?, 'yes', NULL)");
    for (const [what, content] of Object.entries(garbage)) insert.run(what, Date.now() / 1000, content as string);
    await b.sendMessage('b', 'last');
    const got = await b.getMessages();
    assert.deepEqual(
      got.map(({ content }) => content).filter((content) => typeof content === 'string'),
      ['first', 'last'],
    );
    assert.ok(rejected.length >= 4 && rejected.every((code) => code === 'IPCM_MALFORMED_MESSAGE'), String(rejected));
    const kept = database.prepare('SELECT count(*) AS n FROM ipcm_rejected').get();
    assert.equal(kept?.['n'], rejected.length);
    if (acknowledge) await b.acknowledge(...got);
    assert.equal(await store.waiting('b'), 0);
    await b.disconnect();
  });
}

test('a stamp from behind, sent while others are read, neither is lost nor comes twice', async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
  const database = sql(t, store.route);
  // A trigger stands for the sender whose clock is behind, between our read and our removal.
  database.exec(`CREATE TRIGGER behind BEFORE DELETE ON ipcm_messages WHEN OLD.content = '1' AND NOT EXISTS
    (SELECT 1 FROM ipcm_messages WHERE id = 'behind') BEGIN
    INSERT INTO ipcm_messages VALUES ('behind', 'b', 'a', 5, CAST('"behind"' AS BLOB), 0, NULL); END`);
  database.prepare("INSERT INTO ipcm_messages VALUES ('one', 'b', 'a', 6, ?, 0, NULL)").run('1');
  const got = contents(await b.receive(everything));
  got.push(...contents(await b.receive(everything)));
  assert.deepEqual(got, [1, 1, 2, 3, 'behind']);
});

const total = Number(process.env['IPCM_BACKLOG'] ?? 100_000);

test(`a backlog of ${total} messages is read in slices, each at the same cost, in bounded memory`, async (t) => {
  const store = await create(t);
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  const text = 'x'.repeat(100);
  const begin = performance.now();
  for (let n = 0; n < total;) {
    const batch = outgoing('a', 'b', ...Array.from({ length: 1000 }, () => ({ n: n++, text })));
    assert.equal((await a.deliver('b', batch)).taken, 1000);
  }
  const written = performance.now();
  assert.equal(await store.waiting('b'), total);
  assert.equal((await store.unread('b', 5)).length, 5);
  const before = process.memoryUsage().rss;
  let expected = 0;
  let most = 0;
  for (;;) {
    const slice = await b.receive({ messages: 256, bytes: 1 << 24 });
    if (slice.length === 0) break;
    for (const content of contents(slice)) assert.equal((content as { n: number }).n, expected++);
    most = Math.max(most, process.memoryUsage().rss);
  }
  assert.equal(expected, total);
  const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);
  t.diagnostic(
    `${total} messages: in within ${seconds(written - begin)} s, out within ${seconds(performance.now() - written)} s, ` +
      `${(most - before) >> 20} MiB more`,
  );
  assert.ok(most - before < 100 * 1024 * 1024, `${(most - before) >> 20} MiB more`);
  // The log is written back all the time, however long the traffic goes on.
  assert.ok(statSync(`${store.route}-wal`).size < 64 * 1024 * 1024);
});

test('a full database is IPCM_STORE_FULL for who sends, and goes on when there is room', async (t) => {
  const store = await create(t);
  const database = sql(t, store.route);
  const theirs = await open(t, store.route, { protocolOptions: { database } });
  const [a, b] = [await connect(theirs, 'a'), await connect(store, 'b')];
  database.exec('PRAGMA max_page_count = 60');
  const big = 'x'.repeat(100_000);
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) await a.deliver('b', outgoing('a', 'b', big));
  };
  assert.equal(await codeOf(fill), 'IPCM_STORE_FULL');
  assert.equal(await codeOf(() => a.deliver('b', outgoing('a', 'b', big, big))), 'IPCM_STORE_FULL');
  const waited = await b.receive(everything);
  assert.ok(waited.length > 0);
  assert.equal((await a.deliver('b', outgoing('a', 'b', big))).taken, 1);
});

test('options that cannot be are refused', async (t) => {
  const store = await create(t);
  for (const protocolOptions of [{ lockTimeout: -1 }, { lockTimeout: 'x' }, { database: {} }, { database: 'x' }]) {
    assert.equal(
      await codeOf(() => protocol.open(store.route, { ...options, protocolOptions })),
      'IPCM_INVALID_OPTION',
    );
  }
});
