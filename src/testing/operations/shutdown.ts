/** The end of a bus. */
import assert from 'node:assert/strict';
import { rejectsWith, take } from '../assertions.ts';
import { killHard, stop } from '../faults.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Tests of `terminate`, `wait`, `shutdown`, `unspawn` and the guard. */
export function shutdownTests(suite: Suite): void {
  suite.test('clients of this process are disconnected, loops end by the terminate message', async (scene) => {
    const bus = await scene.bus();
    const [idle, looping] = await scene.clients(bus, 'idle', 'looping');
    const loop = (async () => {
      for await (const _ of looping.messages()) assert.fail('nothing was sent');
      await looping.disconnect();
    })();
    const report = await bus.shutdown({ timeout: 10_000 });
    await loop;
    assert.deepEqual([report.remaining, report.clientErrors], [[], []]);
    assert.ok(idle.disconnected && looping.disconnected);
    assert.equal(await scene.exists(bus), false);
  });

  suite.test('a loop of this process that does not end is cut off at the timeout', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const got: boolean[] = [];
    const loop = (async () => {
      for await (const message of a.messages({ terminate: true })) got.push(message.isTerminate);
    })();
    await bus.shutdown({ timeout: 100 });
    await loop;
    assert.deepEqual(got, [true]);
    assert.ok(a.disconnected);
  });

  suite.test('a second shutdown gives the same report, unspawn after it is fine', async (scene) => {
    const bus = await scene.bus();
    const reports = await Promise.all([bus.shutdown(), bus.shutdown()]);
    assert.equal(reports[0], reports[1]);
    await bus.unspawn();
    await bus.unspawn();
  });

  suite.test('a store that somebody else has removed is no error', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    await scene.removeStore(bus.route);
    await bus.shutdown({ timeout: 1000 });
    assert.ok(a.disconnected, 'and the clients of this process have left');
    const other = await scene.bus();
    await scene.removeStore(other.route);
    await other.shutdown({ timeout: 1000 });
  });

  suite.test('leaving the scope of await using removes a guarded store and leaves any other', async (scene) => {
    const guarded = await scene.bus({ guard: true });
    await scene.connect(guarded, 'a');
    await guarded[Symbol.asyncDispose]();
    assert.equal(await scene.exists(guarded), false);
    const kept = await scene.bus({ guard: false });
    await kept[Symbol.asyncDispose]();
    assert.equal(await scene.exists(kept), true);
    const a = await scene.connect(kept.info, 'a');
    assert.deepEqual(await a.peers(), []);
  });

  suite.test('a shutdown ends though a client has taken the name that the bus itself uses', async (scene) => {
    const bus = await scene.bus();
    const [client] = await scene.clients(bus, 'spawn');
    await bus.shutdown({ timeout: 1000 });
    assert.ok(client.disconnected);
  });

  suite.test('an abort ends the wait, and the store is removed', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    await assert.rejects(bus.shutdown({ signal: AbortSignal.abort(new Error('at once')) }), /at once/);
    assert.equal(await scene.exists(bus), false);
    assert.ok(a.disconnected, 'and the clients of this process have left');
  });

  suite.test('debug tells how it goes', async (scene) => {
    const lines: string[] = [];
    const bus = await scene.bus({ debug: (line) => lines.push(line) });
    await scene.connect(bus, 'a');
    await bus.shutdown();
    assert.match(lines.join('\n'), /terminate/);
  });

  if (suite.subject.capabilities.suspend) {
    suite.test('nobody waits for a suspended client', async (scene) => {
      const bus = await scene.bus();
      const a = await scene.connect(bus, 'a');
      await a.suspend();
      const report = await bus.shutdown({ timeout: 5000, sanityCheck: false });
      assert.deepEqual(report.remaining, []);
    });
  }

  suite.crossProcess('the terminate message reaches all, and the processes end', async (scene) => {
    const bus = await scene.bus();
    const local = await scene.connect(bus, 'local');
    const children = await Promise.all(upTo(3).map((n) => scene.childClient(bus, `child-${n}`)));
    for (const child of children) await child.call('listen', { terminate: 'obey' });
    assert.deepEqual((await bus.terminate()).sort(), ['child-0', 'child-1', 'child-2', 'local']);
    assert.equal((await take(local, 1))[0]?.isTerminate, true);
    assert.deepEqual(await bus.wait({ timeout: 10_000 }), []);
    for (const child of children) assert.deepEqual(await child.ended, { code: 0, signal: null });
    await bus.shutdown();
  });

  suite.crossProcess(
    'a client that ignores it makes the shutdown incomplete, in time, and the store goes',
    async (scene) => {
      const bus = await scene.bus();
      const child = await scene.childClient(bus, 'stubborn');
      await child.call('listen', { terminate: 'ignore' });
      const begin = performance.now();
      const error = await rejectsWith(bus.shutdown({ timeout: 300 }), 'IPCM_SHUTDOWN_INCOMPLETE');
      assert.ok(performance.now() - begin < 5000);
      assert.match(error.message, /stubborn/);
      assert.match(error.message, new RegExp(String(child.pid)));
      assert.equal(await scene.exists(bus), false);
    },
  );

  suite.crossProcess('one that is stopped does so too, though it takes no more messages', async (scene) => {
    const bus = await scene.bus();
    const child = await scene.childClient(bus, 'stopped');
    const a = await scene.connect(bus, 'a', { drainTimeout: 10 });
    const goOn = await stop(child);
    const undelivered: Promise<unknown>[] = [];
    while (a.pendingSends < 10 && undelivered.length < 1000) {
      undelivered.push(a.tryMessage('stopped', 'x'.repeat(10_000)));
      await new Promise(setImmediate);
    }
    const begin = performance.now();
    await rejectsWith(bus.shutdown({ timeout: 300 }), 'IPCM_SHUTDOWN_INCOMPLETE');
    assert.ok(performance.now() - begin < 5000);
    await Promise.all(undelivered);
    goOn();
  });

  suite.crossProcess('clients that died do not hold it up, and are reported', async (scene) => {
    const bus = await scene.bus();
    await killHard(await scene.childClient(bus, 'victim'));
    const begin = performance.now();
    const { reaped, remaining } = await bus.shutdown({ timeout: 20_000 });
    assert.ok(performance.now() - begin < 5000);
    assert.deepEqual([remaining.length, reaped.map(({ name }) => name)], [0, ['victim']]);
  });

  suite.crossProcess('a client that dies while it is waited for ends the wait', async (scene) => {
    const bus = await scene.bus();
    const child = await scene.childClient(bus, 'stubborn');
    await child.call('listen', { terminate: 'ignore' });
    const ending = bus.shutdown({ timeout: 20_000, sanityCheck: false });
    await child.event('terminated');
    await killHard(child);
    assert.deepEqual((await ending).remaining, []);
  });

  suite.crossProcess(
    'the signal of the bus is sent to every process but its own, and the message too',
    async (scene) => {
      let here = 0;
      const listener = (): number => ++here;
      process.on('SIGUSR2', listener);
      try {
        const bus = await scene.bus({ signal: 'USR2' });
        await scene.connect(bus, 'local');
        const child = await scene.childClient(bus, 'child');
        await child.call('trapSignal', { signal: 'SIGUSR2' });
        await child.call('listen', { terminate: 'ignore' });
        assert.deepEqual((await bus.terminate()).sort(), ['child', 'local']);
        await Promise.all([child.event('signal'), child.event('terminated')]);
        await child.call('disconnect', {});
        await bus.shutdown({ timeout: 10_000 });
        assert.equal(here, 0);
      } finally {
        process.off('SIGUSR2', listener);
      }
    },
  );

  for (const [ending, code] of [
    ['exit', 7],
    ['fail', 1],
  ] as const) {
    const what = ending === 'exit' ? 'process.exit' : 'an uncaught error';
    suite.crossProcess(`${what} removes a guarded store and leaves any other`, async (scene) => {
      for (const guard of [true, false]) {
        const child = await scene.child();
        const store = await scene.spawnIn(child, { guard });
        assert.equal(await scene.exists(store), true);
        assert.equal((await child.last(ending, { code: 7 })).code, code);
        assert.equal(await scene.exists(store), !guard);
        await scene.removeStore(store.route);
      }
    });
  }

  suite.test('a store that others open while it is being removed is gone afterwards', async (scene) => {
    for (let round = 0; round < 5; round++) {
      const bus = await scene.bus();
      const opening = async (): Promise<void> => {
        while (await scene.exists(bus)) await new Promise(setImmediate);
      };
      const openers = upTo(4).map(opening);
      await bus.shutdown();
      await Promise.all(openers);
      assert.equal(await scene.exists(bus), false);
    }
  });

  suite.crossProcess('a guarded store is removed when its maker exits in the middle of sends', async (scene) => {
    const child = await scene.child();
    const store = await scene.spawnIn(child, { guard: true });
    await scene.connectChild(child, store.info, 'own');
    assert.equal((await child.last('exit', { code: 7, busy: true })).code, 7);
    await until('the store is gone', async () => !(await scene.exists(store)));
  });

  if (suite.subject.protocol.findStale !== undefined) {
    suite.crossProcess(
      'a guarded store whose owner was killed is found and removed; that of a live one is not',
      async (scene) => {
        // Without a route: only private stores can be found.
        const bus = await scene.bus({ guard: true, route: undefined });
        const child = await scene.child();
        const { route } = await scene.spawnIn(child, { guard: true, route: undefined });
        const find = async () => (await suite.subject.protocol.findStale?.()) ?? [];
        assert.deepEqual(
          (await find()).filter((store) => store.route === route),
          [],
        );
        await killHard(child);
        // Where something watches over the store it may be gone before anybody has found it.
        const stale = (await find()).filter((store) => [route, bus.route].includes(store.route));
        for (const store of stale) {
          assert.deepEqual([store.route, store.owner.pid], [route, child.pid]);
          await store.remove();
        }
        await until('the store is gone', async () => !(await scene.exists({ route })), stale.length > 0 ? 0 : 2000);
        assert.equal(await scene.exists(bus), true);
        await bus.shutdown();
      },
    );
  }
}
