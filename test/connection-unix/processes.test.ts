/** Clients in other processes that are killed, start again, or have no descriptor left. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { on } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/connection-unix/index.ts';
import { readPid } from '../../src/protocols/directory/pid-file.ts';
import type { Spawn } from '../../src/spawn/spawn.ts';

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
