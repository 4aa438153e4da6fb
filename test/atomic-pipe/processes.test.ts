// Other processes that are killed, do not read, or have no native part.
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ipcmSpawn } from '../../src/bus.ts';
import { loadNative, nativeUnavailable } from '../../src/native/native.ts';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import type { Spawn } from '../../src/spawn/spawn.ts';
import { until } from '../../src/testing/until.ts';
import { framed } from '../fixtures/atomic-pipe-writer.ts';

const program = join(import.meta.dirname, '../fixtures/atomic-pipe-child.ts');
const specifier = `+${new URL('../../src/protocols/atomic-pipe/index.ts', import.meta.url).href}`;

async function busOf(t: TestContext): Promise<Spawn> {
  const bus = await ipcmSpawn({ protocol, sanityCheck: false, serializer: 'JSON' });
  t.after(() => bus.unspawn());
  return bus;
}

/** Starts a client in a process of its own; resolves when it is connected. */
async function start(t: TestContext, bus: Spawn, name: string, args: string[], env = {}): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, specifier, bus.info, name, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout ?? child, 'data');
  return child;
}

async function endOf(child: ChildProcess): Promise<unknown> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

test('a writer killed in the midst of a message leaves whole messages, and a complaint', async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx');
  const rejected: (string | number | undefined)[] = [];
  rx.on('rejected', ({ code, pid }) => rejected.push(code, pid));
  const writers = await Promise.all(['one', 'two'].map((name) => start(t, bus, name, ['flood', 'rx', '700000'])));
  const lengths: number[] = [];
  while (lengths.length < 6) {
    for (const { content } of await rx.getMessages({ timeout: 5000, limit: 2 })) lengths.push(String(content).length);
  }
  // The pipe is full: both are within a message.
  await sleep(50);
  await Promise.all(writers.map(kill));
  for (;;) {
    const more = await rx.getMessages({ timeout: 100 });
    if (more.length === 0) break;
    for (const { content } of more) lengths.push(String(content).length);
  }
  assert.deepEqual([...new Set(lengths)], [700_000]);
  assert.equal(await rx.havePendingMessages(), false);
  await rx.getMessages();
  assert.equal(rejected[0], 'IPCM_MALFORMED_MESSAGE');
  assert.ok(writers.some(({ pid }) => rejected.includes(pid)));
});

test('who waits in a loop is told of the half message of a dead writer as well', async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx');
  const rejected: (string | number | undefined)[] = [];
  rx.on('rejected', ({ code, pid }) => rejected.push(code, pid));
  const leaving = new AbortController();
  const loop = rx.onMessage(() => undefined, { signal: leaving.signal });
  const writer = await start(t, bus, 'tx', ['hold']);
  const fd = openSync(join(bus.route, 'rx'), 'a');
  t.after(() => closeSync(fd));
  writeSync(fd, framed(Buffer.alloc(9000), writer.pid ?? 0, 1)[0] ?? Buffer.alloc(0));
  await until('the half message has been read', () => rx.havePendingMessages());
  await kill(writer);
  await until('it is told', () => rejected.length > 0);
  assert.deepEqual(rejected, ['IPCM_MALFORMED_MESSAGE', writer.pid]);
  leaving.abort();
  await loop;
});

test('a reader killed while a send waits for room: the send fails at once, others go on', async (t) => {
  const bus = await busOf(t);
  const tx = await bus.connect('tx');
  const child = await start(t, bus, 'rx', ['hold']);
  const send = tx.sendMessage('rx', 'x'.repeat(3_000_000));
  await sleep(50);
  assert.equal(tx.pendingSends, 1);
  const refused = assert.rejects(send, { code: 'IPCM_PEER_GONE', pid: child.pid });
  await kill(child);
  const begin = performance.now();
  await refused;
  assert.ok(performance.now() - begin < 1000);
  assert.deepEqual(await tx.peers(), []);
});

test('a reader that never reads bounds the sender, whose other peers go on', async (t) => {
  const bus = await busOf(t);
  const tx = await bus.connect('tx', { highWaterMark: 1 << 20, drainTimeout: 50 });
  const quick = await bus.connect('quick');
  await start(t, bus, 'slow', ['hold']);
  let refusedAt = 0;
  for (let n = 0; n < 2000 && refusedAt === 0; n++) {
    if (!tx.trySendMessage('slow', 'x'.repeat(10_000))) refusedAt = n;
    await new Promise(setImmediate);
  }
  assert.ok(refusedAt > 0 && refusedAt < 250, `said no after ${refusedAt} messages of 10 kB`);
  tx.on('undelivered', () => undefined);
  await tx.sendMessage('quick', 'not held up');
  assert.equal((await quick.getMessages({ timeout: 5000 }))[0]?.content, 'not held up');
  await assert.rejects(tx.disconnect(), { code: 'IPCM_UNDELIVERED' });
});

test('senders whose messages are over the limit keep neither the event loop nor other messages', async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx', { maxMessageBytes: 10_000 });
  let rejected = 0;
  rx.on('rejected', () => rejected++);
  const got: unknown[] = [];
  const leaving = new AbortController();
  const loop = rx.onMessage(({ content }) => void got.push(content), { signal: leaving.signal });
  const floods = await Promise.all(['a', 'b', 'c'].map((name) => start(t, bus, name, ['flood', 'rx', '700000'])));
  await until('all of them send', () => rejected > 10);
  const tx = await bus.connect('tx');
  for (let n = 0; n < 20; n++) await tx.sendMessage('rx', n);
  await until('the others have come', () => got.length === 20);
  await Promise.all(floods.map(kill));
  leaving.abort();
  await loop;
});

test('processes with and without the native part understand each other', async (t) => {
  const bus = await busOf(t);
  const here = await bus.connect('here');
  await start(t, bus, 'plain', ['echo'], { IPCM_NO_NATIVE: '1' });
  const contents = ['short', 'x'.repeat(10_000), 'y'.repeat(400_000), { z: 1 }];
  const sends = contents.map((content) => here.sendMessage('plain', content));
  const got: unknown[] = [];
  while (got.length < contents.length) {
    const more = await here.getMessages({ timeout: 5000 });
    assert.ok(more.length > 0, `${got.length} came back`);
    got.push(...more.map(({ content }) => content));
  }
  await Promise.all(sends);
  assert.deepEqual(got, contents);
});

for (const [how, env] of [
  ['with the native part', {}],
  ['by Node alone', { IPCM_NO_NATIVE: '1' }],
] as const) {
  test(`clients that wait ${how} hold no thread: files are read, and the process exits at once`, async () => {
    const command = [join(import.meta.dirname, '../fixtures/many-fifos.ts')];
    const options = { env: { ...process.env, ...env }, timeout: 30_000 };
    const { stdout } = await promisify(execFile)(process.execPath, command, options);
    assert.equal(stdout, 'read\n');
  });
}

for (const [size, text] of [
  [1024 * 1024, '1 MiB'],
  [64 * 1024, '64 KiB'],
  [8 * 1024, '8 KiB'],
] as const) {
  const title = `long messages of many senders through a pipe of ${text}: every one that was sent arrives`;
  test(title, { skip: nativeUnavailable() ?? false }, async (t) => {
    const bus = await busOf(t);
    const rx = await bus.connect('rx', { maxMessageBytes: 1_000_000 });
    rx.on('rejected', (error) => assert.fail(error));
    const fd = openSync(join(bus.route, 'rx'), 'r+');
    loadNative()?.setPipeSize(fd, size);
    closeSync(fd);
    const names = Array.from({ length: 12 }, (_, n) => `tx${n}`);
    const senders = await Promise.all(names.map((name) => start(t, bus, name, ['send', 'rx', '2', '900000'])));
    const ended = senders.map((child) => endOf(child));
    const got = new Map<string, number>();
    for (let count = 0; count < 24;) {
      const messages = await rx.getMessages({ timeout: 20_000 });
      assert.ok(messages.length > 0, `${count} have come`);
      for (const { from, content } of messages) {
        assert.equal(String(content).length, 900_000);
        got.set(from, (got.get(from) ?? 0) + 1);
      }
      count += messages.length;
    }
    assert.deepEqual([...new Set(got.values())], [2]);
    assert.deepEqual(new Set(await Promise.all(ended)), new Set([0]));
  });
}

test('what was sent before a process left is there after it has gone', async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx');
  const child = await start(t, bus, 'tx', ['send', 'rx', '200']);
  await endOf(child);
  const messages = await rx.getMessages();
  assert.deepEqual(
    messages.map(({ content }) => content),
    Array.from({ length: 200 }, (_, n) => n),
  );
});
