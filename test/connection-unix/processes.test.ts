/** Clients in other processes that are killed, start again, or have no descriptor left. */
import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { on } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { nativeUnavailable } from '../../src/native/native.ts';
import { protocol } from '../../src/protocols/connection-unix/index.ts';
import { readPid } from '../../src/protocols/directory/pid-file.ts';
import type { Spawn } from '../../src/spawn/spawn.ts';
import { until } from '../fixtures/connection-unix-bus.ts';

const program = join(import.meta.dirname, '../fixtures/connection-unix-child.ts');

async function busOf(t: TestContext): Promise<Spawn> {
  const bus = await ipcmSpawn({ protocol, sanityCheck: false, serializer: 'JSON' });
  t.after(() => bus.unspawn());
  return bus;
}

/** Starts a client in a process of its own. */
function start(t: TestContext, bus: Spawn, ...args: string[]): ChildProcess {
  const child = fork(program, [bus.info, ...args]);
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Resolves when a child says something. */
async function said(child: ChildProcess, word: string): Promise<ChildProcess> {
  for await (const [heard] of on(child, 'message')) if (heard === word) return child;
  return child;
}

/** Lets the event loop of this process do nothing until something holds. */
function block(holds: () => boolean): void {
  for (const end = Date.now() + 20_000; !holds();) {
    assert.ok(Date.now() < end);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}

for (const who of ['receiver', 'sender']) {
  test(`a peer killed and started again while the event loop is busy gets what is sent first, where the ${who} had connected`, async (t) => {
    const bus = await busOf(t);
    const a = await bus.connect('a');
    const first = await said(start(t, bus, 'b', who === 'receiver' ? 'greet' : 'follow', 'a'), 'ready');
    if (who === 'sender') await a.sendMessage('b', 'who are you');
    assert.equal((await a.getMessages({ timeout: 10_000 }))[0]?.content, first.pid);
    assert.ok(a.hasConnection('b'));
    const entry = join(bus.route, 'b');
    const { ino } = lstatSync(entry);
    const second = await said(start(t, bus, 'b', 'follow'), 'waits');
    first.kill('SIGKILL');
    block(() => {
      // While one of its threads is still ending, what is written to its sockets is taken, and lost.
      if (readdirSync(`/proc/${first.pid}/task`).length > 1) return false;
      const pid = readPid(`${entry}.pid`)?.identity.pid;
      return pid === second.pid && (lstatSync(entry, { throwIfNoEntry: false })?.ino ?? ino) !== ino;
    });
    await a.sendMessage('b', 'who are you');
    assert.equal((await a.getMessages({ timeout: 10_000 }))[0]?.content, second.pid);
  });
}

/** Starts one that may have a hundred descriptors. */
function limited(t: TestContext, bus: Spawn, ...args: string[]): ChildProcess {
  const command = ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, program, bus.info, ...args];
  const child = spawn('sh', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

const starved =
  'what is sent to a receiver without a descriptor left arrives once it has some, and it tells of it once';
for (const left of [0, 1]) {
  test(left === 0 ? starved : `${starved}; or with one`, { skip: nativeUnavailable() ?? false }, async (t) => {
    const bus = await busOf(t);
    const tx = await bus.connect('tx');
    const child = limited(t, bus, 'rx', 'starve', `${left}`);
    const heard: { readonly content?: number; readonly code?: string }[] = [];
    child.on('message', (word) => heard.push(word as object));
    await said(child, 'full');
    heard.length = 0;
    for (const n of [0, 1, 2]) await tx.sendMessage('rx', n);
    await until('it is told of', () => heard.length > 0);
    // It is tried again a few times.
    await new Promise((resolve) => setTimeout(resolve, 350));
    for (const n of [3, 4]) await tx.sendMessage('rx', n);
    assert.deepEqual(
      heard.map(({ code }) => code),
      ['IPCM_STORE_FAILED'],
    );
    child.send('free');
    await until('all has come', () => heard.length >= 6);
    assert.deepEqual(
      heard.slice(1).map(({ content }) => content),
      [0, 1, 2, 3, 4],
    );
  });
}

const strained = 'a sender that has one descriptor left is told so, and sends once it has more';
test(strained, { skip: nativeUnavailable() ?? false }, async (t) => {
  const bus = await busOf(t);
  const rx = await bus.connect('rx');
  const child = limited(t, bus, 'tx', 'strain', 'rx');
  const heard: unknown[] = [];
  child.on('message', (word) => heard.push(word));
  assert.equal((await rx.getMessages({ timeout: 10_000 }))[0]?.content, 'x');
  await until('both are told of', () => heard.length === 3);
  const [, first, second] = heard as [unknown, { readonly message: string }, unknown];
  assert.match(first.message, /cannot connect to "rx" in .*: EMFILE/);
  assert.deepEqual(second, { message: 'sent' });
});
