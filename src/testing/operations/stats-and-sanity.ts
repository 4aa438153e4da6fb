/** Counting what was sent and read, and finding what is missing. */
import assert from 'node:assert/strict';
import { describeDelta } from '../../spawn/sanity.ts';
import { rejectsWith, take } from '../assertions.ts';
import { killHard } from '../faults.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `stats`, `allStats`, `sanityDelta` and `sanityCheck`. */
export function statsAndSanityTests(suite: Suite): void {
  suite.test('each client counts what it sent and read, per peer', async (scene) => {
    const bus = await scene.bus();
    const [a, b, c] = await scene.clients(bus, 'a', 'b', 'c');
    for (const n of upTo(3)) await a.sendMessage('b', n);
    await c.sendMessage('b', 'x');
    await take(b, 4);
    assert.deepEqual(a.stats, { sent: new Map([['b', 3]]), read: new Map() });
    assert.deepEqual(b.stats, {
      sent: new Map(),
      read: new Map([
        ['a', 3],
        ['c', 1],
      ]),
    });
  });

  suite.test('counts are in the store once they were written, and after the disconnect', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 1);
    await take(b, 1);
    await a.writeStats();
    assert.deepEqual((await a.readStats())?.sent, new Map([['b', 1]]));
    await b.disconnect();
    const all = await a.allStats();
    assert.deepEqual(all.get('a')?.sent, new Map([['b', 1]]));
    assert.deepEqual(all.get('b')?.read, new Map([['a', 1]]));
  });

  suite.test('when everything was read it adds up', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(5)) await a.sendMessage('b', n);
    await b.sendMessage('a', 'back');
    await take(b, 5);
    await take(a, 1);
    await Promise.all([a.disconnect(), b.disconnect()]);
    assert.deepEqual(await bus.sanityDelta(), { mismatches: [], unread: [], died: [] });
    await bus.sanityCheck();
  });

  suite.test('a message that was never read is "1 con1 -> con2"', async (scene) => {
    const bus = await scene.bus();
    const [con1, con2] = await scene.clients(bus, 'con1', 'con2');
    await con1.sendMessage('con2', 'never read');
    const unread = await rejectsWith(con2.disconnect(), 'IPCM_UNREAD_MESSAGES');
    assert.match(unread.message, /con2/);
    await con1.disconnect();
    const delta = await bus.sanityDelta();
    assert.deepEqual(delta.mismatches, [{ from: 'con1', to: 'con2', count: 1 }]);
    assert.equal(describeDelta(delta), '1 con1 -> con2');
    const error = await rejectsWith(bus.sanityCheck(), 'IPCM_SANITY_MISMATCH');
    assert.match(error.message, /1 con1 -> con2/);
  });

  suite.test('a shutdown says the same, and has removed the store', async (scene) => {
    const bus = await scene.bus();
    const [con1] = await scene.clients(bus, 'con1', 'con2');
    await con1.sendMessage('con2', 'never read');
    const error = await rejectsWith(bus.shutdown(), 'IPCM_SANITY_MISMATCH');
    assert.match(error.message, /1 con1 -> con2/);
    assert.equal(await scene.exists(bus), false);
  });

  suite.test('a shutdown without the check says nothing of it', async (scene) => {
    const bus = await scene.bus({ sanityCheck: false });
    const [con1] = await scene.clients(bus, 'con1', 'con2');
    await con1.sendMessage('con2', 'never read');
    assert.equal((await bus.shutdown()).delta, undefined);
  });

  if (suite.subject.capabilities.suspend) {
    suite.test('what waits for a suspended client is named', async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      await b.suspend();
      await a.sendMessage('b', 'x', { id: 'the-unread-one' });
      await a.disconnect();
      const { unread } = await bus.sanityDelta();
      assert.deepEqual(
        unread.map(({ id, from, to }) => [id, from, to]),
        [['the-unread-one', 'a', 'b']],
      );
    });
  }

  suite.crossProcess('what a killed client took with it is named with its name', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'victim');
    await a.sendMessage('victim', 'x');
    await child.call('receive', { count: 1 });
    await killHard(child);
    await a.reap();
    await a.disconnect();
    const delta = await bus.sanityDelta();
    assert.deepEqual(delta.mismatches, [{ from: 'a', to: 'victim', count: 1 }]);
    assert.deepEqual(
      delta.died.map(({ name, pid }) => [name, pid]),
      [['victim', child.pid]],
    );
  });

  suite.crossProcess(
    'counts of a process that exits without disconnecting are not lost where writing is synchronous',
    async (scene) => {
      const bus = await scene.bus();
      const a = await scene.connect(bus, 'a');
      const child = await scene.childClient(bus, 'leaver');
      await child.last('sendAndExit', { to: 'a', count: 3, sizes: [10] });
      await take(a, 3);
      await a.disconnect();
      const { mismatches } = await bus.sanityDelta();
      const known = [JSON.stringify([]), JSON.stringify([{ from: 'leaver', to: 'a', count: -3 }])];
      assert.ok(known.includes(JSON.stringify(mismatches)), JSON.stringify(mismatches));
    },
  );
}
