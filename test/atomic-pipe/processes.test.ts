// Other processes that are killed, do not read, or have no native part.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import type { Spawn } from '../../src/spawn/spawn.ts';

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

test('what was sent before a process left is there after it has gone', async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx');
  const child = await start(t, bus, 'tx', ['send', 'rx', '200']);
  if (child.exitCode === null) await once(child, 'exit');
  const messages = await rx.getMessages();
  assert.deepEqual(
    messages.map(({ content }) => content),
    Array.from({ length: 200 }, (_, n) => n),
  );
});
