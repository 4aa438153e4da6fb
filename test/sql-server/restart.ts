/** A server that is stopped and started again under traffic. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { ending } from './ending.ts';
import { Restartable } from './restartable.ts';
import type { Kind } from './server.ts';

/** The test of a restart. */
export function restartTests(kind: Kind): void {
  test('a server that is stopped and started again under two senders and a reader', async (t) => {
    const server = await Restartable.start(t, kind);
    const { route, user } = server;
    const bus = await ipcmSpawn({ protocol: kind, route, guard: false, serializer: 'JSON', user });
    const senders = ['s1', 's2'].map((name) => {
      const sender = fork(join(import.meta.dirname, 'sender.ts'), [bus.info, name, '2000', user]);
      ending(t, () => sender.kill('SIGKILL'));
      return sender;
    });
    const reader = await ipcmConnect('reader', bus.info, { user });
    await Promise.all(senders.map((sender) => once(sender, 'message')));
    for (const sender of senders) sender.send('go');
    const next = new Map([
      ['s1', 0],
      ['s2', 0],
    ]);
    let count = 0;
    let restarting: Promise<void> | undefined;
    for await (const { from, content } of reader.messages({ timeout: 60_000 })) {
      assert.equal(content, next.get(from), `what ${from} sent`);
      next.set(from, Number(content) + 1);
      if (++count === 500) restarting = server.restart();
      if (count === 4000) break;
    }
    assert.equal(count, 4000);
    await restarting;
    for (const sender of senders) if (sender.exitCode === null) await once(sender, 'exit');
    assert.deepEqual(
      senders.map(({ exitCode }) => exitCode),
      [0, 0],
    );
    await reader.disconnect();
    await bus[Symbol.asyncDispose]();
  });
}
