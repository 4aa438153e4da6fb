/** A connection that is lost while nobody knows whether the server has committed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { after, before, test, type TestContext } from 'node:test';
import type { Connection, Incoming, Store } from '../../src/protocol/protocol.ts';
import { recipe } from '../../src/protocols/postgresql/recipe.ts';
import { foldersOf } from '../../src/protocols/sql-server/private/folder.ts';
import { until } from '../../src/testing/until.ts';
import { TestServer } from './server.ts';
import { codeOf, connect, contents, create, everything, open, outgoing } from './scene.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

/** Stands between a client and the server, and loses what one of them says from some moment on. */
class Proxy {
  readonly folder = mkdtempSync('/tmp/ipcm-proxy-');
  lose: 'questions' | 'answers' | undefined;
  /** What to lose from the question on in which something stands. */
  from: { readonly mark: string; readonly lose: 'questions' | 'answers' } | undefined;
  lost = 0;
  /** True where nobody is let through. */
  away = false;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer((client) => {
    if (this.away) return void client.destroy();
    const target = createConnection(`${recipe.source(foldersOf(server.folder)).host}/.s.PGSQL.5432`);
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    const pass = (to: Socket, what: 'questions' | 'answers') => (bytes: Buffer) => {
      if (what === 'questions' && this.from !== undefined && bytes.includes(this.from.mark)) this.lose = this.from.lose;
      if (this.lose === what) this.lost += bytes.length;
      else to.write(bytes);
    };
    client.on('data', pass(target, 'questions'));
    target.on('data', pass(client, 'answers'));
    for (const [one, other] of [pair, [target, client] as const]) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  });

  static async start(t: TestContext): Promise<Proxy> {
    const proxy = new Proxy();
    proxy.#server.listen(`${proxy.folder}/.s.PGSQL.5432`);
    await once(proxy.#server, 'listening');
    t.after(() => {
      proxy.cut();
      proxy.#server.close();
      rmSync(proxy.folder, { recursive: true, force: true });
    });
    return proxy;
  }

  /** Ends all connections, and lets the next ones through. */
  cut(): void {
    this.lose = undefined;
    this.from = undefined;
    for (const [client] of this.#pairs) client.destroy();
  }

  route(route: string): string {
    return route.replace(/host=[^;]*/, `host=${this.folder}`);
  }
}

for (const [lose, what] of [
  ['answers', 'was committed, and was read meanwhile, is not sent again'],
  ['questions', 'never came is sent again'],
] as const) {
  for (const count of [1, 5]) {
    test(`what ${what} (${count} at once)`, async (t) => {
      const proxy = await Proxy.start(t);
      const route = await server.route();
      const direct = await create(t, route);
      const b = await connect(direct, 'b');
      const a = await connect(await open(t, proxy.route(route)), 'a');
      await a.deliver('b', outgoing('a', 'b', 'first'));
      assert.deepEqual(contents(await b.receive(everything)), ['first']);
      const expected = Array.from({ length: count }, (_, n) => `marked ${n}`);
      proxy.from = { mark: 'marked', lose };
      const batch = outgoing('a', 'b', ...expected);
      const delivery = Promise.resolve(a.deliver('b', batch));
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

test('what was read, and whose removal nobody knows the outcome of, is handed out once', async (t) => {
  const proxy = await Proxy.start(t);
  const route = await server.route();
  const direct = await create(t, route);
  const a = await connect(direct, 'a');
  const b = await connect(await open(t, proxy.route(route)), 'b');
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

test('what was handed out with acknowledgement when the server went away for long is handed out later', async (t) => {
  const proxy = await Proxy.start(t);
  const route = await server.route();
  const direct = await create(t, route);
  const a = await connect(direct, 'a');
  const far = await open(t, proxy.route(route), { protocolOptions: { reconnectTimeout: 200 } });
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

for (const [what, goOn] of [
  ['reads on', async ({ b }) => assert.deepEqual(await b.receive(everything), [])],
  [
    'suspends',
    async ({ b, direct }) => {
      await b.suspend(undefined);
      assert.deepEqual(await (await connect(direct, 'b', { mode: 'reconnect' })).receive(everything), []);
    },
  ],
  [
    'puts it back',
    async ({ b, read }) => {
      await b.requeue(outgoing('a', 'b', ...contents(read)));
      assert.deepEqual(contents(await b.receive(everything)), [1, 2, 3]);
      assert.deepEqual(await b.receive(everything), []);
    },
  ],
] as const satisfies [
  string,
  (scene: { b: Connection; direct: Store; read: readonly Incoming[] }) => Promise<void>,
][]) {
  test(`what was handed out when the server went away, unremoved, comes no second time to who ${what}`, async (t) => {
    const proxy = await Proxy.start(t);
    const route = await server.route();
    const direct = await create(t, route);
    const a = await connect(direct, 'a');
    const far = await open(t, proxy.route(route), { protocolOptions: { reconnectTimeout: 200 } });
    const b = await connect(far, 'b');
    await a.deliver('b', outgoing('a', 'b', 1, 2, 3));
    proxy.from = { mark: 'DELETE FROM', lose: 'questions' };
    const read = await b.receive(everything);
    assert.deepEqual(contents(read), [1, 2, 3]);
    await until('something was lost', () => proxy.lost > 0);
    proxy.away = true;
    proxy.cut();
    await assert.rejects(async () => b.receive(everything), { code: 'IPCM_STORE_FAILED' });
    proxy.away = false;
    assert.equal(await direct.waiting('b'), 3);
    await goOn({ b, direct, read });
    assert.equal(await direct.waiting('b'), 0);
  });
}

test('who exits over what it reads has left, and what it read is gone', async (t) => {
  const route = await server.route();
  const direct = await create(t, route);
  const a = await connect(direct, 'a');
  const program = `
    const { ipcmConnect } = await import(${JSON.stringify(new URL('../../src/bus.ts', import.meta.url).href)});
    const client = await ipcmConnect('b', process.argv[1]);
    process.send('there');
    for await (const { content } of client.messages()) process.exit(content);`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, JSON.stringify(['PostgreSQL', 'JSON', route])],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  await a.deliver('b', outgoing('a', 'b', 7, 8));
  assert.deepEqual(await once(child, 'exit'), [7, null]);
  assert.equal(await direct.peer('b'), undefined, 'it left, and is not dead');
  assert.equal(await direct.waiting('b'), 0);
});

test('a message that is put back while a look is under way is found by the next', async (t) => {
  const store = await create(t, await server.route());
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  await a.deliver('b', outgoing('a', 'b', 'waiting'));
  const [looked] = await Promise.all([b.receive(everything), b.requeue(outgoing('a', 'b', 'back'))]);
  assert.deepEqual(contents(looked), ['waiting']);
  assert.deepEqual(contents(await b.receive(everything)), ['back']);
});

test('a connect, a requeue and a disconnect that were cut off are done once', async (t) => {
  const proxy = await Proxy.start(t);
  const route = await server.route();
  const direct = await create(t, route);
  const far = await open(t, proxy.route(route));
  const cutOff = async <T>(action: () => T | Promise<T>): Promise<T> => {
    proxy.lost = 0;
    proxy.lose = 'answers';
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
