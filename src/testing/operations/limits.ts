/** Messages over the limit, on both sides. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, takeContents, takeNumbered } from '../assertions.ts';
import { numbered } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `maxMessageBytes` and of what the protocol itself can carry. */
export function limitsTests(suite: Suite): void {
  const { largestMessage, unit } = suite.subject.capabilities;

  suite.test('a message over the sender limit is refused, what is around it is sent', async (scene) => {
    const bus = await scene.bus({ serializer: 'JSON' });
    const a = await scene.connect(bus, 'a', { maxMessageBytes: 10_000 });
    const b = await scene.connect(bus, 'b');
    const sends = [a.sendMessage('b', 1), a.sendMessage('b', 'x'.repeat(10_001)), a.sendMessage('b', 3)];
    const outcomes = await Promise.allSettled(sends);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    const error = await rejectsWith(sends[1] ?? Promise.resolve(), 'IPCM_MESSAGE_TOO_LARGE');
    assert.match(error.message, /10000/, 'the error tells the limit');
    assert.equal(error.peer, 'b');
    assert.deepEqual(await takeContents(b, 2), [1, 3]);
    await hasNothing(b);
  });

  suite.test(
    'a message over the receiver limit is rejected there with an event, what is around it is read',
    async (scene) => {
      const bus = await scene.bus({ serializer: 'JSON' });
      const a = await scene.connect(bus, 'a');
      const b = await scene.connect(bus, 'b', { maxMessageBytes: 10_000 });
      const rejected: string[] = [];
      b.on('rejected', ({ code }) => rejected.push(code));
      await a.sendMessage('b', 1);
      await a.sendMessage('b', 'x'.repeat(20_000));
      await a.sendMessage('b', 3);
      assert.deepEqual(await takeContents(b, 2), [1, 3]);
      await hasNothing(b);
      assert.deepEqual(rejected, ['IPCM_MESSAGE_TOO_LARGE']);
    },
  );

  suite.test('a message exactly at the sender limit passes', async (scene) => {
    const bus = await scene.bus({ serializer: 'JSON' });
    const [probe, b] = await scene.clients(bus, 'probe', 'b');
    const content = numbered(7, 5000);
    const message = probe.buildMessage('b', content);
    const { length } = bus.serializer.serialize(unit === 'message' ? message : content);
    const a = await scene.connect(bus, 'exact', { maxMessageBytes: length });
    await a.sendMessage(message, { from: 'exact' });
    assert.deepEqual(await takeNumbered(b, 1), [{ from: 'exact', n: 7, bytes: 5000 }]);
    const less = await scene.connect(bus, 'small', { maxMessageBytes: length - 1 });
    await rejectsWith(less.sendMessage(message), 'IPCM_MESSAGE_TOO_LARGE');
  });

  if (Number.isFinite(largestMessage)) {
    suite.test(
      'a message over what the protocol carries is refused with the remedy, nothing else is lost',
      async (scene) => {
        const bus = await scene.bus({ serializer: 'JSON' });
        const [a, b] = await scene.clients(bus, 'a', 'b');
        await a.sendMessage('b', numbered(0, largestMessage - 1000));
        const reading = takeNumbered(b, 2);
        const error = await rejectsWith(a.sendMessage('b', numbered(1, largestMessage)), 'IPCM_MESSAGE_TOO_LARGE');
        assert.match(error.message, new RegExp(String(largestMessage)));
        assert.match(error.message, /ConnectionUnix/, 'the error tells which protocol carries more');
        await a.sendMessage('b', numbered(2, 10));
        assert.deepEqual(
          (await reading).map(({ n }) => n),
          [0, 2],
        );
      },
    );
  }

  suite.test('options that cannot be limits are refused', async (scene) => {
    const bus = await scene.bus();
    for (const option of ['maxMessageBytes', 'highWaterMark', 'outboxLimit', 'drainTimeout']) {
      for (const value of [-1, Number.NaN, '10' as unknown as number]) {
        await rejectsWith(scene.connect(bus, 'a', { [option]: value }), 'IPCM_INVALID_OPTION');
      }
    }
    const options = await scene.spawnOptions({ maxMessageBytes: -1 });
    await rejectsWith(scene.bus(options), 'IPCM_INVALID_OPTION');
  });
}
