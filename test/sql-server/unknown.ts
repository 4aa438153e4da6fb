/** Connections that are lost while nobody knows what the server has done. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Store } from '../../src/protocol/protocol.ts';
import { until } from '../../src/testing/until.ts';
import { codeOf, connect, contents, everything, outgoing } from '../postgresql/scene.ts';
import { upTo } from '../mysql-family/scene.ts';
import { Proxy } from './proxy.ts';
import type { Served, TestServer } from './server.ts';
import { create, open } from './stores.ts';

/** A store, and two ways to it. */
interface Scene<T> {
  readonly server: T;
  readonly route: string;
  readonly proxy: Proxy;
  readonly direct: Store;
  /** Through the proxy. */
  readonly far: Store;
}

/** Makes a store, and a proxy before it. */
export async function scene<T extends TestServer>(
  t: TestContext,
  served: () => T,
  protocolOptions = {},
): Promise<Scene<T>> {
  const server = served();
  const proxy = await Proxy.start(t, server);
  const route = await server.route();
  const direct = await create(t, server, route);
  return { server, route, proxy, direct, far: await open(t, server, proxy.route(route), { protocolOptions }) };
}

/** Tests of what is lost on the way. */
export function unknownTests(served: Served): void {
  for (const [lose, what] of [
    ['answers', 'was committed, and was read meanwhile, is not sent again'],
    ['questions', 'never came is sent again'],
  ] as const) {
    for (const count of [1, 5, 300]) {
      test(`what ${what} (${count} at once)`, async (t) => {
        const { proxy, direct, far } = await scene(t, served);
        const b = await connect(direct, 'b');
        const a = await connect(far, 'a');
        await a.deliver('b', outgoing('a', 'b', 'first'));
        assert.deepEqual(contents(await b.receive(everything)), ['first']);
        const expected = upTo(count).map((n) => `marked ${n}`);
        // Of several inserts, which PostgreSQL does not need, the last one: all must be there, or none.
        const several = count > 256 && served().kind !== 'PostgreSQL';
        proxy.from = { mark: lose === 'answers' && several ? 'COMMIT' : 'marked', lose };
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

  test('a connection that is lost here alone is ended at the server before its transaction is done again', async (t) => {
    const { proxy, direct, far } = await scene(t, served);
    const [a, b] = [await connect(direct, 'a'), await connect(far, 'b')];
    await a.deliver('b', outgoing('a', 'b', 'waiting'));
    proxy.from = { mark: 'COMMIT', lose: 'questions' };
    const put = Promise.resolve(b.requeue(outgoing('a', 'b', 'back')));
    await until('the end was lost', () => proxy.lost > 0);
    // The server has the rest, and holds its locks.
    proxy.cut({ leaveOpen: true });
    await put;
    assert.deepEqual(contents(await b.receive(everything)), ['back', 'waiting']);
    assert.deepEqual(await b.receive(everything), []);
  });

  test('what was read, and whose removal nobody knows the outcome of, is handed out once', async (t) => {
    const { proxy, direct, far } = await scene(t, served);
    const a = await connect(direct, 'a');
    const b = await connect(far, 'b');
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
      const { proxy, direct, far } = await scene(t, served);
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

  test('what was handed out with acknowledgement when the server went away for long is handed out later', async (t) => {
    const { proxy, direct, far } = await scene(t, served, { reconnectTimeout: 200 });
    const a = await connect(direct, 'a');
    const b = await connect(far, 'b', { acknowledge: true });
    await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
    proxy.from = { mark: 'UPDATE ipcm_messages', lose: 'answers' };
    const reading = Promise.resolve(b.receive(everything));
    await until('something was lost', () => proxy.lost > 0);
    proxy.away = true;
    proxy.cut();
    await assert.rejects(reading, { code: 'IPCM_STORE_FAILED' });
    proxy.away = false;
    assert.equal(await b.ready(), true);
    const found = await b.receive(everything);
    assert.deepEqual(contents(found), [1, 2, 3]);
    assert.ok(found.every(({ receipt }) => receipt !== undefined));
    assert.deepEqual(await b.receive(everything), []);
  });

  for (const [lose, outcome] of [
    ['questions', 'was not removed'],
    ['answers', 'may have been removed'],
  ] as const) {
    for (const suspends of [false, true]) {
      const who = suspends ? 'suspends and comes back' : 'reads on';
      test(`what was being read when the server went away for long, and ${outcome}, comes once to who ${who}`, async (t) => {
        const { proxy, direct, far } = await scene(t, served, { reconnectTimeout: 200 });
        const a = await connect(direct, 'a');
        const b = await connect(far, 'b');
        await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
        proxy.from = { mark: 'DELETE FROM', lose };
        const reading = Promise.resolve(b.receive(everything)).catch((error: unknown) => {
          assert.equal((error as { code?: unknown }).code, 'IPCM_STORE_FAILED');
          return [];
        });
        await until('something was lost', () => proxy.lost > 0);
        proxy.away = true;
        proxy.cut();
        const found = contents(await reading);
        assert.equal(await codeOf(() => b.receive(everything)), 'IPCM_STORE_FAILED');
        proxy.away = false;
        if (suspends) await b.suspend(undefined);
        const again = suspends ? await connect(direct, 'b', { mode: 'reconnect' }) : b;
        found.push(...contents(await again.receive(everything)));
        assert.deepEqual(found, [1, 2, 3]);
        assert.deepEqual(await again.receive(everything), []);
        assert.equal(await direct.waiting('b'), 0);
      });
    }
  }

  test('a message that is put back while a look is under way is found by the next', async (t) => {
    const server = served();
    const store = await create(t, server, await server.route());
    const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
    await a.deliver('b', outgoing('a', 'b', 'waiting'));
    const [looked] = await Promise.all([b.receive(everything), b.requeue(outgoing('a', 'b', 'back'))]);
    assert.deepEqual(contents(looked), ['waiting']);
    assert.deepEqual(contents(await b.receive(everything)), ['back']);
  });
}
