/** Reading what is there, and waiting for what comes. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `getMessages`, `haveReadyMessages` and `havePendingMessages`. */
export function receiveTests(suite: Suite): void {
  suite.test('nothing there is an empty array, at once', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    assert.deepEqual(await a.getMessages(), []);
    assert.equal(await a.haveReadyMessages(), false);
    assert.equal(await a.havePendingMessages(), false);
  });

  suite.test('a message is ready until it is read, and is read once', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'x');
    assert.equal(await b.haveReadyMessages(), true);
    assert.equal(await b.haveReadyMessages(), true, 'to look is not to read');
    assert.deepEqual(await takeContents(b, 1), ['x']);
    assert.equal(await b.haveReadyMessages(), false);
    await hasNothing(b);
  });

  suite.test('limit takes that many and leaves the rest', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const got = async (limit: number): Promise<unknown[]> =>
      (await b.getMessages({ limit })).map(({ content }) => content);
    for (const n of upTo(10)) await a.sendMessage('b', n);
    assert.deepEqual(await got(3), [0, 1, 2]);
    assert.deepEqual(await got(1.5), [3]);
    assert.equal(await b.haveReadyMessages(), true);
    assert.deepEqual(await got(70_000), [4, 5, 6, 7, 8, 9]);
    await a.sendMessage('b', 'last');
    assert.deepEqual(await got(Infinity), ['last']);
    for (const limit of [0, -1, Number.NaN]) await rejectsWith(b.getMessages({ limit }), 'IPCM_INVALID_OPTION');
  });

  suite.test('timeout waits for the first message', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const waiting = b.getMessages({ timeout: 10_000 });
    await a.sendMessage('b', 'at last');
    assert.deepEqual(
      (await waiting).map(({ content }) => content),
      ['at last'],
    );
  });

  suite.test('timeout is over when it is over, and then it is an empty array', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    const begin = performance.now();
    assert.deepEqual(await a.getMessages({ timeout: 60 }), []);
    assert.ok(performance.now() - begin >= 55);
    assert.deepEqual(await a.getMessages({ timeout: 0 }), []);
    await assert.rejects(a.getMessages({ timeout: Number.NaN }), TypeError);
  });

  suite.test('a message wakes a waiting reader, long before it would look by itself', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const took: number[] = [];
    for (const n of upTo(10)) {
      const waiting = b.getMessages({ timeout: 10_000 });
      await new Promise(setImmediate);
      const begin = performance.now();
      await a.sendMessage('b', n);
      await waiting;
      took.push(performance.now() - begin);
    }
    took.sort((x, y) => x - y);
    const median = took[5] ?? 0;
    assert.ok(median < 150, `a reader looks by itself every 250 ms; here it took ${median} ms`);
  });

  suite.test('a signal ends the wait with its reason, and no message is lost by it', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const abort = new AbortController();
    const waiting = b.getMessages({ signal: abort.signal });
    abort.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(b.getMessages({ signal: AbortSignal.abort(new Error('before')) }), /before/);
    await a.sendMessage('b', 'x');
    assert.deepEqual(await takeContents(b, 1), ['x']);
  });

  suite.test('a disconnect ends a wait', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const waiting = a.getMessages({ timeout: 20_000 });
    await a.disconnect();
    assert.deepEqual(await waiting, []);
  });

  suite.test('two who wait at once share what comes', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const both = [b.getMessages({ limit: 1, timeout: 10_000 }), b.getMessages({ limit: 1, timeout: 10_000 })];
    await a.sendMessage('b', 1);
    await a.sendMessage('b', 2);
    const got = (await Promise.all(both)).flat().map(({ content }) => content);
    assert.deepEqual(new Set(got), new Set([1, 2]));
    assert.equal(got.length, 2);
  });

  suite.test('a backlog of thousands is read completely and in order', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const count = 5000;
    const reading = take(b, count);
    for (let n = 0; n < count; n += 500) {
      await Promise.all(upTo(500).map((m) => a.sendMessage('b', n + m)));
    }
    assert.deepEqual(
      (await reading).map(({ content }) => content),
      upTo(count),
    );
  });
}
