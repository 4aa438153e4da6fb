/** Connections that are lost while nobody knows what the server has done, and servers that fail in the midst of a batch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../src/testing/until.ts';
import { codeOf, connect, contents, everything, outgoing } from '../postgresql/scene.ts';
import { Proxy } from './proxy.ts';
import { upTo } from './scene.ts';
import type { Served } from './server.ts';
import { create, open } from './stores.ts';

/** Tests of what is lost on the way. */
export function unknownTests(served: Served): void {
  for (const [lose, what] of [
    ['answers', 'was committed, and was read meanwhile, is not sent again'],
    ['questions', 'never came is sent again'],
  ] as const) {
    for (const count of [1, 5, 300]) {
      test(`what ${what} (${count} at once)`, async (t) => {
        const server = served();
        const proxy = await Proxy.start(t, server);
        const route = await server.route();
        const direct = await create(t, server, route);
        const b = await connect(direct, 'b');
        const a = await connect(await open(t, server, proxy.route(route)), 'a');
        await a.deliver('b', outgoing('a', 'b', 'first'));
        assert.deepEqual(contents(await b.receive(everything)), ['first']);
        const expected = upTo(count).map((n) => `marked ${n}`);
        // Of several inserts the last one: all must be there, or none.
        proxy.from = { mark: lose === 'answers' && count > 256 ? 'COMMIT' : 'marked', lose };
        const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...expected)));
        await until('something was lost', () => proxy.lost > 0);
        if (lose === 'answers') {
          await until('it is there', async () => (await direct.waiting('b')) === count);
          assert.deepEqual(contents(await b.receive(everything)), expected);
        }
        proxy.cut();
        assert.deepEqual(await delivery, { taken: count });
        assert.deepEqual(contents(await b.receive(everything)), lose === 'answers' ? [] : expected);
        assert.deepEqual(await a.deliver('b', outgoing('a', 'b', 'last')), { taken: 1 });
        assert.deepEqual(contents(await b.receive(everything)), ['last']);
      });
    }
  }

  test('a connection that is lost here alone is ended at the server before what it began is done again', async (t) => {
    const server = served();
    const proxy = await Proxy.start(t, server);
    const route = await server.route();
    const direct = await create(t, server, route);
    const b = await connect(direct, 'b');
    const a = await connect(await open(t, server, proxy.route(route)), 'a');
    for (const contentsToSend of [['one'], upTo(300)]) {
      await a.deliver('b', outgoing('a', 'b', 'first'));
      proxy.lost = 0;
      proxy.from = { mark: 'COMMIT', lose: 'questions' };
      const delivery = Promise.resolve(a.deliver('b', outgoing('a', 'b', ...contentsToSend)));
      await until('the end was lost', () => proxy.lost > 0);
      // The server has the rest, and holds its locks.
      proxy.cut({ leaveOpen: true });
      assert.deepEqual(await delivery, { taken: contentsToSend.length });
      assert.deepEqual(contents(await b.receive(everything)), ['first', ...contentsToSend]);
    }
  });

  test('what was read, and whose removal nobody knows the outcome of, is handed out once', async (t) => {
    const server = served();
    const proxy = await Proxy.start(t, server);
    const route = await server.route();
    const direct = await create(t, server, route);
    const a = await connect(direct, 'a');
    const b = await connect(await open(t, server, proxy.route(route)), 'b');
    for (const lose of ['questions', 'answers'] as const) {
      await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
      proxy.lost = 0;
      proxy.lose = lose;
      const reading = Promise.resolve(b.receive(everything));
      await until('something was lost', () => proxy.lost > 0);
      proxy.cut();
      assert.deepEqual(contents(await reading), [1, 2, 3]);
      assert.deepEqual(await b.receive(everything), []);
    }
  });

  for (const lose of ['answers', 'questions'] as const) {
    test(`a connect, a requeue and a disconnect whose ${lose} were lost are done once`, async (t) => {
      const server = served();
      const proxy = await Proxy.start(t, server);
      const route = await server.route();
      const direct = await create(t, server, route);
      const far = await open(t, server, proxy.route(route));
      const cutOff = async <T>(action: () => T | Promise<T>): Promise<T> => {
        proxy.lost = 0;
        proxy.lose = lose;
        const outcome = Promise.resolve(action());
        outcome.catch(() => undefined);
        await until('something was lost', () => proxy.lost > 0);
        proxy.cut();
        return outcome;
      };
      const a = await cutOff(() => connect(far, 'a'));
      assert.equal((await direct.peer('a'))?.state, 'active');
      await cutOff(() => a.requeue(outgoing('a', 'a', 1, 2)));
      assert.equal(await direct.waiting('a'), 2);
      assert.deepEqual(contents(await a.receive(everything)), [1, 2]);
      await cutOff(() => a.disconnect());
      assert.equal(await direct.peer('a'), undefined);
      assert.equal(await codeOf(() => connect(direct, 'a')), 'no error');
    });
  }
}
