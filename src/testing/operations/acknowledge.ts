/** Reading with acknowledgement. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `{ack: true}`, `acknowledge` and what a crash does to messages. */
export function acknowledgeTests(suite: Suite): void {
  const { acknowledge, suspend, survivesReader } = suite.subject.capabilities;

  suite.test('acknowledge is refused on a client that reads without', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'x');
    await rejectsWith(b.acknowledge(...(await take(b, 1))), 'IPCM_NOT_SUPPORTED');
  });

  if (!acknowledge) return;

  suite.test('an acknowledged message is gone, and acknowledging twice is fine', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const b = await scene.connect(bus, 'b', { ack: true });
    await a.sendMessage('b', 'x');
    const messages = await take(b, 1);
    await hasNothing(b);
    await b.acknowledge(...messages);
    await b.acknowledge(...messages);
    await b.disconnect();
  });

  suite.test('handed out and not acknowledged counts as unread at the disconnect', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const b = await scene.connect(bus, 'b', { ack: true });
    for (const n of upTo(3)) await a.sendMessage('b', n);
    const [first] = await take(b, 3);
    if (first !== undefined) await b.acknowledge(first);
    const unread: unknown[] = [];
    await b.disconnect((messages) => void unread.push(...messages.map(({ content }) => content)));
    assert.deepEqual(unread, [1, 2]);
    await a.disconnect();
    await bus.sanityCheck();
  });

  suite.test('requeued messages come again, in order, and can then be acknowledged', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const b = await scene.connect(bus, 'b', { ack: true });
    for (const n of upTo(3)) await a.sendMessage('b', n);
    await b.requeueMessage(...(await take(b, 2)));
    const again = await take(b, 3);
    assert.deepEqual(
      again.map(({ content }) => content),
      [0, 1, 2],
    );
    await b.acknowledge(...again);
    await b.disconnect();
  });

  if (suspend) {
    suite.test('what was not acknowledged before a suspension comes again, in order', async (scene) => {
      const bus = await scene.bus();
      const a = await scene.connect(bus, 'a');
      const b = await scene.connect(bus, 'b', { ack: true });
      for (const n of upTo(3)) await a.sendMessage('b', n);
      const [first] = await take(b, 2);
      if (first !== undefined) await b.acknowledge(first);
      await b.suspend();
      await a.sendMessage('b', 3);
      const back = await scene.reconnect(bus, 'b', { ack: true });
      const again = await take(back, 3);
      assert.deepEqual(
        again.map(({ content }) => content),
        [1, 2, 3],
      );
      await back.acknowledge(...again);
      await back.disconnect();
    });
  }

  if (!survivesReader) return;

  for (const mode of suspend ? (['connect', 'reconnect'] as const) : (['connect'] as const)) {
    suite.crossProcess(
      `after kill -9 a ${mode} with ack gets what was not acknowledged, and only that`,
      async (scene) => {
        const bus = await scene.bus();
        const [a, other] = await scene.clients(bus, 'a', 'other');
        const child = await scene.childClient(bus, 'worker', { ack: true });
        for (const n of upTo(6)) await a.sendMessage('worker', n);
        await child.call('receiveAndAcknowledge', { count: 4, acknowledge: 2 });
        await killHard(child);
        // Others meet the dead client in every way they can: none of it may cost a message.
        await other.reap();
        await other.tryMessage('worker', 'late');
        assert.equal(await other.peerActive('worker'), false);
        await scene.connect(bus, 'newcomer');
        const back =
          mode === 'connect'
            ? await scene.connect(bus, 'worker', { ack: true })
            : await scene.reconnect(bus, 'worker', { ack: true });
        const again = (await take(back, 4)).map(({ content }) => content).filter((content) => content !== 'late');
        assert.deepEqual(again, [2, 3, 4, 5]);
      },
    );
  }

  suite.crossProcess('after kill -9 a connect without ack begins with nothing', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'worker', { ack: true });
    await a.sendMessage('worker', 'x');
    await child.call('receiveAndAcknowledge', { count: 1, acknowledge: 0 });
    await killHard(child);
    const next = await scene.connect(bus, 'worker');
    await hasNothing(next);
    await a.sendMessage('worker', 'y');
    assert.deepEqual(await takeContents(next, 1), ['y']);
  });
}
