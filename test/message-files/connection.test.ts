import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { emptyStats } from '../../src/protocol/stats.ts';
import { mostRejected } from '../../src/protocols/directory/quarantine.ts';
import { uuidAt } from '../../src/message/id.ts';
import {
  connect,
  contents,
  everything,
  filesIn,
  messageOf,
  outgoing,
  Report,
  serializer,
  store,
} from '../fixtures/directory-bus.ts';

const v4 = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}.ready`;
const raw = (content: unknown, stamp = 1, ord = 0): Uint8Array =>
  serializer.serialize({ id: `id-${stamp}-${ord}`, from: 'x', to: 'a', stamp, stamp_ord: ord, content });

test('messages arrive in order, once, also to oneself, and none are left', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const b = await connect(t, on, 'b');
  assert.deepEqual(await b.receive(everything), []);
  assert.equal(await b.ready(), false);
  assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 1, 2, 3)), { taken: 3 });
  await a.deliver('b', outgoing('a', 'b', 4));
  assert.equal(await b.ready(), true);
  assert.equal(on.waiting('b'), 4);
  assert.deepEqual(contents(await b.receive({ messages: 2, bytes: 1e9 })), [1, 2]);
  assert.deepEqual(contents(await b.receive({ messages: 9, bytes: 1 })), [3]);
  assert.deepEqual(contents(await b.receive(everything)), [4]);
  assert.deepEqual(await b.receive(everything), []);
  await a.deliver('a', outgoing('a', 'a', 'me'));
  assert.deepEqual(contents(await a.receive(everything)), ['me']);
  await a.disconnect();
  await b.disconnect();
  assert.deepEqual(filesIn(on.route), []);
});

test('nobody there, left, died: different errors', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const send =
    (to: string): (() => unknown) =>
    () =>
      a.deliver(to, outgoing('a', to, 1));
  assert.throws(send('nobody'), { code: 'IPCM_PEER_UNKNOWN', peer: 'nobody', client: 'a' });
  assert.throws(send('_x'), { code: 'IPCM_INVALID_NAME' });
  const b = await connect(t, on, 'b');
  assert.deepEqual(send('b')(), { taken: 1 });
  await b.disconnect();
  assert.throws(send('b'), { code: 'IPCM_PEER_GONE' });
  assert.throws(send('b'), { code: 'IPCM_PEER_UNKNOWN' });
  on.remove();
  assert.throws(send('a'), { code: 'IPCM_STORE_MISSING' });
  assert.throws(() => a.receive(everything), { code: 'IPCM_STORE_MISSING' });
  assert.throws(() => on.peers(), { code: 'IPCM_STORE_MISSING' });
  await assert.rejects(connect(t, on, 'c'), { code: 'IPCM_STORE_MISSING' });
  a.closeSync();
  await a.disconnect();
});

test('an inbox that somebody removed is an error, and its sender leaves nothing', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const b = await connect(t, on, 'b');
  await a.deliver('b', outgoing('a', 'b', 1));
  rmSync(join(on.route, 'b'), { recursive: true });
  assert.throws(() => b.receive(everything), { code: 'IPCM_STORE_MISSING', client: 'b' });
  assert.throws(() => a.deliver('b', outgoing('a', 'b', 1)), { code: 'IPCM_PEER_GONE' });
  assert.deepEqual(readdirSync(join(on.route, '.ipcm/out')), []);
});

test('the hidden folder may be missing: a store of the reference has none', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  rmSync(join(on.route, '.ipcm'), { recursive: true });
  assert.equal((await a.deliver('a', outgoing('a', 'a', 1))).taken, 1);
  assert.deepEqual(contents(await a.receive(everything)), [1]);
});

test('long and hostile names work and come back as they are', async (t) => {
  const on = store(t);
  const names = [
    '../x',
    'a/../../b',
    '..',
    '.ipcm',
    'x.pid',
    'x',
    'tab\there',
    'nul\0',
    'h-x',
    'n'.repeat(500),
    '🙂'.repeat(100),
    'constructor',
    'x\n',
    ' ',
  ];
  const clients = await Promise.all(names.map((name) => connect(t, on, name)));
  assert.deepEqual(
    on
      .peers()
      .map(({ name }) => name)
      .sort(),
    [...names].sort(),
  );
  for (const [index, client] of clients.entries()) {
    const to = names[(index + 1) % names.length] ?? '';
    await client.deliver(to, outgoing(names[index] ?? '', to, index));
    await client.writeStats({ sent: new Map([[to, 1]]), read: new Map() });
  }
  for (const [index, client] of clients.entries()) {
    const [message] = await client.receive(everything);
    assert.equal(message && messageOf(message).to, names[index]);
    assert.equal(on.peer(names[index] ?? '')?.state, 'active');
  }
  assert.deepEqual([...on.stats().keys()].sort(), [...names].sort());
  for (const client of clients) await client.disconnect();
  assert.deepEqual(on.peers(), []);
  assert.equal(on.stats().size, names.length);
  await assert.rejects(connect(t, on, '__proto__'), { code: 'IPCM_INVALID_NAME' });
  assert.deepEqual(readdirSync(join(on.route, '..')), ['route']);
});

test('with acknowledgement a message stays until it is acknowledged, and comes again when released', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a', { acknowledge: true });
  await a.deliver('a', outgoing('a', 'a', 1, 2, 3));
  const first = await a.receive(everything);
  assert.deepEqual(contents(first), [1, 2, 3]);
  assert.deepEqual(await a.receive(everything), []);
  assert.equal(await a.ready(), false);
  await a.acknowledge([first[1]?.receipt, 'unknown', 7, '../a.pid']);
  assert.equal(on.waiting('a'), 2);
  await a.deliver('a', outgoing('a', 'a', 4));
  await a.release(first.map(({ receipt }) => receipt));
  assert.deepEqual(contents(await a.receive(everything)), [1, 3, 4]);
});

test("a dead client's messages wait for its successor if it read with acknowledgement", async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const b = await connect(t, on, 'b', { acknowledge: true });
  await a.deliver('b', outgoing('a', 'b', 1, 2));
  await b.receive(everything);
  writeFileSync(join(on.route, 'b.pid'), '2147483647\n2147483647 5 - - ack\n');
  assert.equal(on.peer('b')?.state, 'dead');
  assert.deepEqual(on.reap(), []);
  const other = await connect(t, on, 'other');
  assert.throws(() => other.deliver('b', outgoing('other', 'b', 3)), { code: 'IPCM_PEER_GONE', pid: 2_147_483_647 });
  const again = await connect(t, on, 'b', { acknowledge: true });
  assert.deepEqual(contents(await again.receive(everything)), [1, 2]);
  const report = new Report();
  writeFileSync(join(on.route, 'b.pid'), '2147483647\n2147483647 5 - - ack\n');
  const fresh = await connect(t, on, 'b', { report });
  assert.deepEqual(report.dead, [{ name: 'b', pid: 2_147_483_647, lost: 2 }]);
  assert.deepEqual(await fresh.receive(everything), []);
});

test('requeued messages come first, in their order, and survive a suspension', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  await a.deliver('a', outgoing('a', 'a', 'new'));
  await a.requeue(outgoing('a', 'a', 1, 2));
  await a.requeue(outgoing('a', 'a', 3));
  assert.deepEqual(contents(await a.receive({ messages: 1, bytes: 1e9 })), [1]);
  await a.suspend(Date.now() / 1000 + 1000);
  assert.equal(on.waiting('a'), 3);
  const again = await connect(t, on, 'a', { mode: 'reconnect' });
  assert.ok(!existsSync(join(on.route, 'a.suspend')));
  assert.deepEqual(contents(await again.receive(everything)), [2, 3, 'new']);
});

test('a torn or hostile resume file costs its tail only', async (t) => {
  const on = store(t);
  const whole = Buffer.from(raw('whole'));
  const head = (length: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    return bytes;
  };
  const big = Buffer.alloc(1024 * 1024 + 1, 32);
  for (const [tail, code] of [
    [Buffer.from([0, 0]), 'IPCM_MALFORMED_MESSAGE'],
    [head(0xffff_ffff), 'IPCM_MALFORMED_MESSAGE'],
    [Buffer.concat([head(100), Buffer.from('{')]), 'IPCM_MALFORMED_MESSAGE'],
    [Buffer.concat([head(big.length), big]), 'IPCM_MESSAGE_TOO_LARGE'],
  ] as const) {
    const a = await connect(t, on, 'a');
    await a.suspend(undefined);
    writeFileSync(join(on.route, 'a.resume'), Buffer.concat([head(whole.length), whole, tail]));
    assert.equal(on.unread('a', 9).length, 1);
    const report = new Report();
    const again = await connect(t, on, 'a', { mode: 'reconnect', report });
    assert.deepEqual(contents(await again.receive(everything)), ['whole']);
    assert.deepEqual(
      report.errors.map((error) => error.code),
      [code],
    );
    await again.disconnect();
  }
});

test('what is no message file is set aside, reported once, and holds up nobody', async (t) => {
  const on = store(t);
  const report = new Report();
  const a = await connect(t, on, 'a', { report });
  const inbox = join(on.route, 'a');
  const secret = join(on.route, '..', 'secret');
  writeFileSync(secret, raw('secret'));
  mkdirSync(join(inbox, v4(1)));
  writeFileSync(join(inbox, v4(1), 'inside'), '');
  symlinkSync(secret, join(inbox, v4(2)));
  execFileSync('mkfifo', [join(inbox, v4(3))]);
  writeFileSync(join(inbox, v4(4)), Buffer.alloc(1024 * 1024 + 1));
  writeFileSync(join(inbox, v4(5)), raw('good'));
  writeFileSync(join(inbox, 'x.pend'), 'half');
  writeFileSync(join(inbox, 'notes.txt'), 'no message');
  assert.equal(await a.pending(), true);
  assert.deepEqual(contents(await a.receive(everything)), ['good']);
  assert.deepEqual(report.errors.map((error) => error.code).sort(), [
    'IPCM_MALFORMED_MESSAGE',
    'IPCM_MALFORMED_MESSAGE',
    'IPCM_MALFORMED_MESSAGE',
    'IPCM_MESSAGE_TOO_LARGE',
  ]);
  assert.deepEqual(await a.receive(everything), []);
  assert.equal(report.errors.length, 4);
  assert.equal(readdirSync(join(on.route, '.ipcm/rejected')).length, 4);
  assert.deepEqual(readdirSync(inbox).sort(), ['notes.txt', 'x.pend']);
  assert.ok(existsSync(secret));
  utimesSync(join(inbox, 'x.pend'), 1, 1);
  assert.equal(await a.pending(), false);
});

test('only so many rejected files are kept', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a', { report: new Report() });
  for (let n = 0; n < mostRejected + 20; n++) mkdirSync(join(on.route, 'a', v4(n)));
  assert.deepEqual(await a.receive(everything), []);
  assert.equal(readdirSync(join(on.route, '.ipcm/rejected')).length, mostRejected);
});

test("others' files are read by their time, and by the stamps inside where that is the same", async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const inbox = join(on.route, 'a');
  const put = (n: number, time: number, stamp: number, ord = 0): void => {
    const path = join(inbox, v4(n));
    writeFileSync(path, raw(`${time}/${stamp}/${ord}`, stamp, ord));
    utimesSync(path, time, time);
  };
  put(5, 100, 10);
  put(4, 100, 10, 1);
  put(3, 200, 1);
  put(2, 100, 9);
  put(1, 300, 30);
  writeFileSync(join(inbox, `${uuidAt(250e6)}.ready`), raw('ours'));
  assert.deepEqual(contents(await a.receive(everything)), [
    '100/9/0',
    '100/10/0',
    '100/10/1',
    '200/1/0',
    'ours',
    '300/30/0',
  ]);
});

test('two readers of one inbox never get the same message', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  await a.deliver('a', outgoing('a', 'a', 1, 2, 3));
  assert.deepEqual(contents(await a.receive({ messages: 1, bytes: 1e9 })), [1]);
  const [next] = readdirSync(join(on.route, 'a')).sort();
  renameSync(join(on.route, 'a', next ?? ''), join(on.route, 'elsewhere'));
  assert.deepEqual(contents(await a.receive(everything)), [3]);
});

test('sealed, a client still reads what was sent, and nobody can send', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const b = await connect(t, on, 'b');
  await a.deliver('b', outgoing('a', 'b', 1, 2));
  assert.deepEqual(contents(await b.receive({ messages: 1, bytes: 1e9 })), [1]);
  await b.seal();
  await b.seal();
  assert.throws(() => a.deliver('b', outgoing('a', 'b', 3)), { code: 'IPCM_PEER_GONE' });
  assert.equal(on.peer('b')?.state, 'leaving');
  await assert.rejects(connect(t, on, 'b'), { code: 'IPCM_NAME_TAKEN', pid: process.pid });
  assert.equal(on.waiting('b'), 1);
  assert.deepEqual(contents(await b.receive(everything)), [2]);
  await b.disconnect();
  await b.disconnect();
  assert.equal(on.peer('b'), undefined);
  await connect(t, on, 'b');
});

test('statistics outlive a clean disconnect, not a death', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  assert.equal(await a.readStats(), undefined);
  await a.writeStats({ sent: new Map([['__proto__', 2]]), read: new Map() });
  await a.disconnect();
  const again = await connect(t, on, 'a');
  assert.equal((await again.readStats())?.sent.get('__proto__'), 2);
  writeFileSync(join(on.route, 'a.pid'), '2147483647');
  const after = await connect(t, on, 'a');
  assert.equal(await after.readStats(), undefined);
  await after.writeStats(emptyStats());
  writeFileSync(join(on.route, 'a.stats'), 'no json');
  assert.equal(await after.readStats(), undefined);
  assert.equal(on.stats().size, 0);
});

test('who waits is woken by a message, and not by its own reading', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a');
  const woken = new Promise<void>((resolve) => t.after(a.watchInbox(resolve)));
  await a.deliver('a', outgoing('a', 'a', 1));
  await woken;
  let wakes = 0;
  await a.receive(everything);
  t.after(a.watchInbox(() => void wakes++));
  const peers = new Promise<void>((resolve) => t.after(on.watchPeers(resolve)));
  await connect(t, on, 'b');
  await peers;
  assert.equal(wakes, 0);
  const put = new Promise<void>((resolve) => t.after(a.watchInbox(resolve)));
  await a.requeue(outgoing('a', 'a', 2));
  await put;
});

test('bytes that the client could not read can be kept', async (t) => {
  const on = store(t);
  const a = await connect(t, on, 'a', { acknowledge: true });
  writeFileSync(join(on.route, 'a', v4(1)), 'no message');
  const [incoming] = await a.receive(everything);
  assert.ok(incoming);
  await a.reject?.(incoming);
  assert.equal(on.waiting('a'), 0);
  await a.reject?.({ bytes: Buffer.from('neither') });
  assert.equal(readdirSync(join(on.route, '.ipcm/rejected')).length, 2);
});
