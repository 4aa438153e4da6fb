/** Putting messages back. */
import assert from 'node:assert/strict';
import { hasNothing, take, takeContents } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `requeueMessage`. */
export function requeueTests(suite: Suite): void {
  suite.test('requeued messages come first, in order, as they were', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(4)) await a.sendMessage('b', n);
    const messages = await take(b, 2);
    await b.requeueMessage(...messages);
    assert.equal(await b.haveReadyMessages(), true);
    const again = await take(b, 4);
    assert.deepEqual(
      again.map(({ content }) => content),
      upTo(4),
    );
    assert.deepEqual(
      again.slice(0, 2).map((message) => message.toJSON()),
      messages.map((message) => message.toJSON()),
    );
    assert.deepEqual(b.stats.read, new Map([['a', 4]]), 'and count as read once');
    await hasNothing(b);
  });

  suite.test('they come before what a loop has read ahead', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(4)) await a.sendMessage('b', n);
    for await (const message of b.messages()) {
      await b.requeueMessage(message);
      break;
    }
    assert.deepEqual(await takeContents(b, 4), upTo(4));
    await hasNothing(b);
  });

  suite.test('put back one by one they keep the order in which they were put back', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(4)) await a.sendMessage('b', n);
    for (const message of await take(b, 3)) await b.requeueMessage(message);
    assert.deepEqual(await takeContents(b, 4), upTo(4));
  });

  suite.test('put back while a look is under way they are found by the next one', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const content of ['first', 'second']) await a.sendMessage('b', content);
    const [first] = await take(b, 1);
    assert.ok(first !== undefined);
    const [looked] = await Promise.all([b.getMessages(), b.requeueMessage(first)]);
    const rest = await take(b, 2 - looked.length);
    assert.deepEqual(new Set([...looked, ...rest].map(({ content }) => content)), new Set(['first', 'second']));
    await hasNothing(b);
  });

  suite.test('they wake a reader', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'again');
    const messages = await take(b, 1);
    const waiting = b.getMessages({ timeout: 10_000 });
    await b.requeueMessage(...messages);
    assert.deepEqual(
      (await waiting).map(({ content }) => content),
      ['again'],
    );
  });

  suite.test('they are unread at a disconnect', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'x');
    await b.requeueMessage(...(await take(b, 1)));
    const unread: unknown[] = [];
    await b.disconnect((messages) => void unread.push(...messages.map(({ content }) => content)));
    assert.deepEqual(unread, ['x']);
  });

  if (suite.subject.capabilities.suspend) {
    suite.test('they survive a suspension', async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      for (const n of upTo(3)) await a.sendMessage('b', n);
      await b.requeueMessage(...(await take(b, 2)));
      await b.suspend();
      await a.sendMessage('b', 3);
      assert.deepEqual(await takeContents(await scene.reconnect(bus, 'b'), 4), upTo(4));
    });
  }
}
