/** Reading in a loop. */
import assert from 'node:assert/strict';
import type { Message } from '../../message/message.ts';
import { hasNothing, rejectsWith, takeContents } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

async function collect(messages: AsyncIterable<Message>): Promise<unknown[]> {
  const contents: unknown[] = [];
  for await (const { content } of messages) contents.push(content);
  return contents;
}

/** Tests of `messages` and `onMessage`. */
export function iterateTests(suite: Suite): void {
  suite.test('gives messages as they come, and ends when the client disconnects', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const got: unknown[] = [];
    await a.sendMessage('b', 0);
    for await (const { content } of b.messages()) {
      assert.ok(b.reading);
      got.push(content);
      if (got.length < 20) await a.sendMessage('b', got.length);
      else await b.disconnect();
    }
    assert.deepEqual(got, upTo(20));
    assert.equal(b.reading, false);
  });

  suite.test('ends after the timeout without a message', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(5)) await a.sendMessage('b', n);
    assert.deepEqual(await collect(b.messages({ timeout: 30 })), upTo(5));
    assert.equal(b.reading, false);
    assert.equal(b.state, 'connected');
  });

  suite.test('a terminate message ends the loop; what follows it waits', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 1);
    await a.sendMessage('b', { terminate: 1 });
    await a.sendMessage('b', 2);
    assert.deepEqual(await collect(b.messages()), [1]);
    assert.deepEqual(await takeContents(b, 1), [2]);
    assert.deepEqual(b.stats.read, new Map([['a', 3]]), 'the terminate message counts as read');
  });

  suite.test('with terminate: true the message is handed out and the loop goes on', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', { terminate: 1 });
    await a.sendMessage('b', 2);
    assert.deepEqual(await collect(b.messages({ terminate: true, timeout: 30 })), [{ terminate: 1 }, 2]);
  });

  suite.test('an abort throws the reason, and what was not handed out is there next time', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const abort = new AbortController();
    for (const n of upTo(3)) await a.sendMessage('b', n);
    const got: unknown[] = [];
    const loop = async (): Promise<void> => {
      for await (const { content } of b.messages({ signal: abort.signal })) {
        got.push(content);
        abort.abort(new Error('stop here'));
      }
    };
    await assert.rejects(loop(), /stop here/);
    assert.deepEqual(got, [0]);
    assert.deepEqual(await takeContents(b, 2), [1, 2]);
  });

  suite.test('leaving the loop early loses nothing', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    // Not awaited: a transport may have room for a few of them only until they are read.
    const sent = Promise.all(upTo(100).map((n) => a.sendMessage('b', n)));
    const got: unknown[] = [];
    while (got.length < 60) {
      for await (const { content } of b.messages()) {
        got.push(content);
        if (got.length % 7 === 0) break;
      }
    }
    assert.equal(await b.haveReadyMessages(), true);
    got.push(...(await takeContents(b, 100 - got.length)));
    assert.deepEqual(got, upTo(100));
    await sent;
    await hasNothing(b);
  });

  suite.test('two loops at once share the messages, each one handed out once', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const loops = Promise.all([collect(b.messages({ timeout: 200 })), collect(b.messages({ timeout: 200 }))]);
    await Promise.all(upTo(300).map((n) => a.sendMessage('b', n)));
    const [one, two] = await loops;
    const sorted = [...one, ...two].map(Number).sort((x, y) => x - y);
    assert.deepEqual(sorted, upTo(300));
    for (const part of [one, two])
      assert.deepEqual(
        part,
        [...part].map(Number).sort((x, y) => x - y),
        'in order',
      );
  });

  suite.test(
    'onMessage calls one at a time, ends quietly at an abort, and rejects when the handler throws',
    async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      for (const n of upTo(4)) await a.sendMessage('b', n);
      const abort = new AbortController();
      const got: unknown[] = [];
      let running = 0;
      await b.onMessage(
        async ({ content }) => {
          assert.equal(++running, 1);
          await new Promise(setImmediate);
          running--;
          got.push(content);
          if (got.length === 3) abort.abort();
        },
        { signal: abort.signal },
      );
      assert.deepEqual(got, [0, 1, 2]);
      const thrown = b.onMessage(() => {
        throw new Error('from the handler');
      });
      await assert.rejects(thrown, /from the handler/);
    },
  );

  suite.test('a loop over a client that has left does not begin', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    await a.disconnect();
    const loop = async (): Promise<unknown[]> => collect(a.messages());
    await rejectsWith(loop(), 'IPCM_NOT_CONNECTED');
  });

  suite.test('a loop ends with the store', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const loop = collect(a.messages());
    await bus.unspawn();
    await rejectsWith(loop, 'IPCM_STORE_MISSING');
  });
}
