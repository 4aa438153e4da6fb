/** Order per sender, under load. */
import assert from 'node:assert/strict';
import { hasNothing, takeNumbered } from '../assertions.ts';
import { numbered, upTo, type Receipt } from '../numbered.ts';
import type { Suite } from '../suite.ts';

function assertOrder(receipts: readonly Receipt[], senders: readonly string[], count: number): void {
  for (const sender of senders) {
    const numbers = receipts.filter(({ from }) => from === sender).map(({ n }) => n);
    assert.deepEqual(numbers, upTo(count), `of ${sender} none is missing, none came twice, all are in order`);
  }
}

/** Tests of the order that every protocol keeps. */
export function orderTests(suite: Suite): void {
  const { largestMessage } = suite.subject.capabilities;
  const sizes = [10, 2000, 100, 200_000, 4096, 30, 20_000].map((size) => Math.min(size, largestMessage - 1000));
  const senders = ['one', 'two', 'three', 'four'] as const;

  suite.test('four clients of one process send at once', async (scene) => {
    const bus = await scene.bus();
    const reader = await scene.connect(bus, 'reader');
    const clients = await scene.clients(bus, ...senders);
    const reading = takeNumbered(reader, 4 * 200);
    const sends = clients.map((client) =>
      Promise.all(upTo(200).map((n) => client.sendMessage('reader', numbered(n, sizes[n % sizes.length] ?? 0)))),
    );
    assertOrder(await reading, senders, 200);
    await Promise.all(sends);
    await hasNothing(reader);
  });

  suite.crossProcess('four processes send at once', async (scene) => {
    const bus = await scene.bus();
    const reader = await scene.connect(bus, 'reader');
    const children = await Promise.all(senders.map((name) => scene.childClient(bus, name)));
    const sends = Promise.all(children.map((child) => child.call('sendNumbered', { to: 'reader', count: 300, sizes })));
    const receipts = await takeNumbered(reader, 4 * 300);
    assert.deepEqual(
      await sends,
      senders.map(() => ({ refused: 0 })),
    );
    assertOrder(receipts, senders, 300);
    await hasNothing(reader);
  });

  suite.crossProcess('a process reads what four clients send to it', async (scene) => {
    const bus = await scene.bus();
    const reader = await scene.childClient(bus, 'reader');
    const clients = await scene.clients(bus, ...senders);
    const reading = reader.call('receiveNumbered', { count: 4 * 200 });
    await Promise.all(
      clients.flatMap((client) =>
        upTo(200).map((n) => client.sendMessage('reader', numbered(n, sizes[n % sizes.length] ?? 0))),
      ),
    );
    assertOrder(await reading, senders, 200);
  });

  suite.crossProcess('a process echoes, a hundred times to and fro', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'echo');
    await child.call('echo', {});
    for (const n of upTo(100)) {
      await a.sendMessage('echo', numbered(n, n * 10));
      assert.deepEqual(await takeNumbered(a, 1), [{ from: 'echo', n, bytes: n * 10 }]);
    }
  });
}
