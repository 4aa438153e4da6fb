// One connection and its peers, in this process: who comes, goes, does not read, or is replaced.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { loadNative, nativeUnavailable } from '../../src/native/native.ts';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import { grow, makeInbox } from '../../src/protocols/atomic-pipe/pipe.ts';
import { deliverAll, descriptorCount, openBelow, storeOf } from '../fixtures/atomic-pipe-bus.ts';
import { framed } from '../fixtures/atomic-pipe-writer.ts';
import { connect, contents, deadIdentity, everything, messageOf, outgoing, Report } from '../fixtures/directory-bus.ts';

const skip = nativeUnavailable() ?? false;

test('a peer that does not read is blocked for, holds up nobody else, and gets everything when it reads', async (t) => {
  const store = storeOf(t, protocol);
  const [slow, quick, tx] = [
    await connect(t, store, 'slow'),
    await connect(t, store, 'quick'),
    await connect(t, store, 'tx'),
  ];
  const batch = outgoing('tx', 'slow', ...Array.from({ length: 200 }, (_, n) => `${n}`.padEnd(20_000, '.')));
  const first = await tx.deliver('slow', batch);
  assert.ok(first.taken > 0 && first.taken < 200 && first.blocked !== undefined);
  const again = await tx.deliver('slow', batch.slice(first.taken));
  assert.equal(again.taken, 0);
  assert.equal((await tx.deliver('quick', outgoing('tx', 'quick', 'not held up'))).taken, 1);
  assert.deepEqual(contents(await quick.receive(everything)), ['not held up']);
  const rest = deliverAll(tx, 'slow', batch.slice(first.taken));
  const got: unknown[] = [];
  while (got.length < 200) {
    got.push(...contents(await slow.receive(everything)));
    await sleep(1);
  }
  await rest;
  assert.deepEqual(
    got,
    batch.map(({ message }) => message.content),
  );
});

test('a message left in its midst is ended before anything else is sent', async (t) => {
  const store = storeOf(t, protocol);
  const rx = await connect(t, store, 'rx');
  const tx = await connect(t, store, 'tx');
  const large = outgoing('tx', 'rx', 'x'.repeat(900_000), 'y'.repeat(900_000));
  const { taken, blocked } = await tx.deliver('rx', large);
  assert.ok(taken < 2 && blocked !== undefined);
  // Whoever sent it has given up; the next one is another.
  const next = deliverAll(tx, 'rx', outgoing('tx', 'rx', 'next'));
  const got: unknown[] = [];
  while (got.at(-1) !== 'next') {
    got.push(...contents(await rx.receive(everything)));
    await sleep(1);
  }
  await next;
  const sent = large.slice(0, taken + 1).map(({ message }) => message.content);
  assert.deepEqual(got, [...sent, 'next']);
});

test('a half message is pending, and holds a leaving reader until it is whole', async (t) => {
  const store = storeOf(t, protocol);
  const report = new Report();
  const rx = await connect(t, store, 'rx', { report });
  const fd = openSync(`${store.route}/rx`, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const [out] = outgoing('tx', 'rx', 'z'.repeat(9000));
  const chunks = framed(out?.bytes ?? Buffer.alloc(0), process.pid, 1);
  writeSync(fd, chunks[0] ?? Buffer.alloc(0));
  assert.deepEqual(await rx.receive(everything), []);
  assert.deepEqual([await rx.ready(), await rx.pending()], [false, true]);
  const sealed = rx.seal();
  await sleep(30);
  for (const chunk of chunks.slice(1)) writeSync(fd, chunk);
  await sealed;
  assert.throws(() => writeSync(fd, 'x'), { code: 'EPIPE' }, 'from now on the kernel refuses');
  assert.deepEqual(contents(await rx.receive(everything)), ['z'.repeat(9000)]);
  assert.deepEqual(await rx.receive(everything), []);
  assert.deepEqual(report.errors, []);
});

test('a half message of a dead writer is not pending, is dropped and told', async (t) => {
  const store = storeOf(t, protocol);
  const report = new Report();
  const rx = await connect(t, store, 'rx', { report });
  const fd = openSync(`${store.route}/rx`, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  writeSync(fd, framed(Buffer.alloc(9000), 2 ** 30, 1)[0] ?? Buffer.alloc(0));
  assert.equal(await rx.pending(), false);
  assert.deepEqual(await rx.receive(everything), []);
  assert.deepEqual(
    report.errors.map(({ code, pid }) => [code, pid]),
    [['IPCM_MALFORMED_MESSAGE', 2 ** 30]],
  );
  const begin = performance.now();
  await rx.seal();
  assert.ok(performance.now() - begin < 500, 'and does not hold a leaving reader');
});

test('a peer that comes again under its name is found, at once and in the midst of a message', async (t) => {
  const store = storeOf(t, protocol);
  const tx = await connect(t, store, 'tx');
  for (const size of [10, 1_000_000]) {
    const old = await connect(t, store, 'rx');
    await tx.deliver('rx', outgoing('tx', 'rx', 'f'.repeat(size > 1000 ? 200_000 : 1)));
    const batch = outgoing('tx', 'rx', 'a'.repeat(size));
    const first = size > 1000 ? await tx.deliver('rx', batch) : undefined;
    assert.equal(first?.taken ?? 0, 0, 'it does not fit whole');
    await old.disconnect();
    const rx = await connect(t, store, 'rx');
    await first?.blocked;
    const sent = deliverAll(tx, 'rx', batch);
    const got: unknown[] = [];
    while (got.length === 0) {
      got.push(...contents(await rx.receive(everything)));
      await sleep(1);
    }
    await sent;
    assert.deepEqual(got, ['a'.repeat(size)]);
    await rx.disconnect();
    assert.throws(() => tx.deliver('rx', outgoing('tx', 'rx', 'late')), { code: 'IPCM_PEER_GONE' });
    assert.throws(() => tx.deliver('rx', outgoing('tx', 'rx', 'later')), { code: 'IPCM_PEER_UNKNOWN' });
  }
});

test('a batch stops at a peer that goes: what was taken counts, the rest fails', async (t) => {
  const store = storeOf(t, protocol);
  const rx = await connect(t, store, 'rx');
  const tx = await connect(t, store, 'tx');
  const blocked = await tx.deliver('rx', outgoing('tx', 'rx', 'x'.repeat(1_000_000), 'y'.repeat(200_000)));
  assert.ok(blocked.blocked !== undefined);
  await rx.disconnect();
  await blocked.blocked;
  assert.throws(() => tx.deliver('rx', outgoing('tx', 'rx', 'late')), { code: 'IPCM_PEER_GONE' });
  assert.deepEqual(openBelow(store.route), [`${store.route}/tx`]);
});

test('a FIFO that nobody reads is no peer, nor is something else of that name', async (t) => {
  const store = storeOf(t, protocol);
  const tx = await connect(t, store, 'tx');
  const left = await connect(t, store, 'left', { identity: deadIdentity() });
  await assert.rejects(async () => deliverAll(tx, 'left', outgoing('tx', 'left', 1)), { code: 'IPCM_PEER_GONE' });
  await left.disconnect();
  for (const name of ['nobody', 'left', '.ipcm']) {
    await assert.rejects(async () => deliverAll(tx, name, outgoing('tx', name, 1)), { code: 'IPCM_PEER_UNKNOWN' });
  }
});

test('a reader whose FIFO has been removed is told', async (t) => {
  const store = storeOf(t, protocol);
  const rx = await connect(t, store, 'rx');
  unlinkSync(`${store.route}/rx`);
  assert.throws(() => rx.receive(everything), { code: 'IPCM_STORE_MISSING' });
});

test('a FIFO that cannot be opened once it is made leaves nothing under the name', { skip }, (t) => {
  const module = JSON.stringify(new URL('../../src/protocols/atomic-pipe/pipe.ts', import.meta.url).href);
  const program = `
    import { existsSync, openSync } from 'node:fs';
    import { makeInbox, pipes } from ${module};
    pipes();
    const path = process.argv[1];
    try { for (;;) openSync('/dev/null'); } catch { /* EMFILE: there are none left, as the test wants it. */ }
    try { makeInbox(path, 0o700); } catch ({ code }) { console.log(code, existsSync(path)); }
  `;
  const command = ['-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath, '--input-type=module', '-e', program];
  const said = execFileSync('sh', [...command, join(storeOf(t, protocol).route, 'rx')], { encoding: 'utf8' });
  assert.equal(said, 'EMFILE false\n');
});

test('a pipe is as large as the system lets it be, or of 256 KiB where that is refused', { skip }, async (t) => {
  const maximum = Number(readFileSync('/proc/sys/fs/pipe-max-size', 'latin1'));
  const path = join(storeOf(t, protocol).route, 'rx');
  const fd = makeInbox(path, 0o700);
  t.after(() => closeSync(fd));
  const native = loadNative();
  assert.ok(native !== undefined);
  // Asked again: a user who has too many pipes is refused, as the first time.
  const most = native.setPipeSize(fd, maximum);
  assert.ok(native.pipeSize(fd) === maximum || most < 0);
  const asked: number[] = [];
  const refusing = (refused: number) => ({
    setPipeSize(_: number, bytes: number) {
      asked.push(bytes);
      return bytes > refused ? -system.errno.EPERM : bytes;
    },
  });
  grow(fd, refusing(maximum));
  grow(fd, refusing(maximum - 1));
  assert.deepEqual(asked, [maximum, maximum, 256 * 1024]);
});

test('an entry that somebody else has made stays', (t) => {
  const path = join(storeOf(t, protocol).route, 'rx');
  writeFileSync(path, '');
  assert.throws(() => makeInbox(path, 0o700), { code: 'EEXIST' });
  assert.equal(existsSync(path), true);
});

test('limits of a call are kept, and requeued messages come first in their order', async (t) => {
  const store = storeOf(t, protocol);
  const rx = await connect(t, store, 'rx');
  const tx = await connect(t, store, 'tx');
  await tx.deliver('rx', outgoing('tx', 'rx', 'a', 'b', 'c', 'd', 'e', 'f'));
  assert.deepEqual(contents(await rx.receive({ messages: 2, bytes: 1 << 20 })), ['a', 'b']);
  assert.deepEqual(contents(await rx.receive({ messages: 9, bytes: 1 })), ['c']);
  assert.equal(await rx.ready(), true);
  await rx.requeue(outgoing('tx', 'rx', 'A'));
  await rx.requeue(outgoing('tx', 'rx', 'B'));
  assert.deepEqual(contents(await rx.receive({ messages: 9, bytes: 1 })), ['A']);
  await rx.requeue(outgoing('tx', 'rx', 'C'));
  assert.deepEqual(contents(await rx.receive(everything)), ['B', 'C', 'd', 'e', 'f']);
});

test('a thousand connections one after another leave no descriptor', async (t) => {
  const store = storeOf(t, protocol);
  const tx = await connect(t, store, 'tx');
  const round = async (n: number): Promise<void> => {
    const rx = await connect(t, store, 'rx');
    const stop = rx.watchInbox(() => undefined);
    await tx.deliver('rx', outgoing('tx', 'rx', n));
    assert.deepEqual(contents(await rx.receive(everything)), [n]);
    stop();
    await rx.disconnect();
  };
  for (let n = 0; n < 10; n++) await round(n);
  const before = descriptorCount();
  for (let n = 0; n < 1000; n++) await round(n);
  await new Promise(setImmediate);
  assert.ok(descriptorCount() <= before + 2, `${before} at first, then ${descriptorCount()}`);
});

test('more peers than are kept open are all reached', async (t) => {
  const store = storeOf(t, protocol);
  const tx = await connect(t, store, 'tx');
  const names = Array.from({ length: 300 }, (_, n) => `peer-${n}`);
  const peers = await Promise.all(names.map((name) => connect(t, store, name)));
  for (const round of [1, 2]) {
    for (const name of names) await tx.deliver(name, outgoing('tx', name, round));
    for (const peer of peers) assert.deepEqual(contents(await peer.receive(everything)), [round]);
  }
  assert.ok(openBelow(store.route).length <= 300 + 1 + 256);
});

test('more peers than are kept open can all be waited for', { skip }, async (t) => {
  const store = storeOf(t, protocol);
  const tx = await connect(t, store, 'tx');
  const names = Array.from({ length: 262 }, (_, n) => `peer-${n}`);
  const peers = await Promise.all(names.map((name) => connect(t, store, name)));
  for (const name of names) {
    const fd = openSync(`${store.route}/${name}`, 'r+');
    loadNative()?.setPipeSize(fd, 4096);
    closeSync(fd);
  }
  const content = 'x'.repeat(10_000);
  const sends: Promise<void>[] = [];
  for (const name of names) {
    const batch = outgoing('tx', name, content);
    const { taken, blocked } = await tx.deliver(name, batch);
    assert.ok(taken === 0 && blocked !== undefined);
    sends.push(blocked.then(() => deliverAll(tx, name, batch)));
  }
  const got = peers.map(async (peer) => {
    for (;;) {
      const [incoming] = await peer.receive(everything);
      if (incoming !== undefined) return messageOf(incoming).content;
      await sleep(1);
    }
  });
  assert.deepEqual([...new Set(await Promise.all(got))], [content]);
  await Promise.all(sends);
});

test('threads have tids of their own', async () => {
  const url = new URL('../../src/protocols/atomic-pipe/tid.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(url)}).then(({ nextTid }) => require('node:worker_threads').parentPort.postMessage([nextTid(), nextTid()]))`;
  const tids = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<number[]>((resolve, reject) => {
          const worker = new Worker(code, { eval: true });
          worker.once('message', (two: number[]) => resolve(two));
          worker.once('error', reject);
        }),
    ),
  );
  assert.equal(new Set(tids.flat()).size, 6);
  for (const tid of tids.flat()) assert.ok(tid >= 0 && tid < 2 ** 31);
});
