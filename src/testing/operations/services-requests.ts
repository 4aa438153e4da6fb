/** Requests and their answers: the same to a service of this process and to one of its own. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Client } from '../../client/client.ts';
import { isIpcError } from '../../errors.ts';
import type { ServiceHandle } from '../../service/handle.ts';
import type { Spawn } from '../../spawn/spawn.ts';
import { fieldsOf, rejectsWith, take, throwsWith } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Scene } from '../scene.ts';
import { helper, type About, type Ask } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** One that hangs shall say so, and not take the others with it. */
const inTime = { timeout: 10_000 };

/** A running helper, and who asks it. */
interface Asked {
  readonly scene: Scene;
  readonly bus: Spawn;
  readonly handle: ServiceHandle<Ask>;
  /** A client without any notion of services. */
  readonly plain: Client;
}

/** Tests of `request`, `sendRequest` and what belongs to them. */
export function serviceRequestTests(suite: Suite): void {
  suite.test('requests to a service of the same process', async (scene, context) => {
    const bus = await scene.bus();
    await scene.serve(bus, 'helper', helper, { params: { from: 'the test' } });
    const handle = await scene.handle<Ask>(bus, 'helper');
    assert.equal(handle.childPid, undefined, 'a handle made by hand has started nothing');
    await requests(context, { scene, bus, handle, plain: await scene.connect(bus, 'plain') });
    await answers(context, { scene, bus, handle, plain: await scene.connect(bus, 'plainer') });
  });

  suite.test('a handle that nobody uses holds up no sender, and keeps what comes', async (scene) => {
    const bus = await scene.bus();
    const handle = await scene.handle(bus, 'nobody');
    const sender = await scene.connect(bus, 'sender');
    for (const n of upTo(60)) {
      const [outcome] = [...(await sender.broadcast([n, 'x'.repeat(20_000)])).values()];
      assert.deepEqual(outcome, { sent: true });
    }
    const kept = await handle.messages();
    assert.deepEqual(
      kept.map(({ content }) => (content as unknown[])[0]),
      upTo(60),
    );
  });

  suite.test('a handle that is told to end gets the answers that it waits for, and leaves', async (scene) => {
    const bus = await scene.bus();
    const { ended } = await scene.serve(bus, 'helper', helper, { drainTimeout: 10_000 });
    const handle = await scene.handle<Ask>(bus, 'helper');
    const pending = handle.request({ do: 'slow', with: 200 }, inTime);
    await handle.request({ do: 'echo' }, inTime);
    const { remaining } = await bus.shutdown(inTime);
    assert.deepEqual([remaining, await pending], [[], null]);
    assert.ok(handle.client.disconnected);
    await rejectsWith(handle.request({ do: 'echo' }), 'IPCM_NOT_CONNECTED');
    await ended;
  });

  suite.crossProcess('requests to a service in a process of its own', async (scene, context) => {
    const bus = await scene.bus();
    const options = { params: { from: 'the test' } };
    const handle = await scene.service<Ask, unknown, unknown>(bus, 'helper', helper, options);
    const about = (await handle.request({ do: 'about' })) as About;
    assert.notEqual(about.pid, process.pid);
    assert.deepEqual([await handle.servicePid(), handle.childPid], [about.pid, about.pid]);
    await requests(context, { scene, bus, handle, plain: await scene.connect(bus, 'plain') });
    await answers(context, { scene, bus, handle, plain: await scene.connect(bus, 'plainer') });
    await handle.stop();
    assert.deepEqual(await handle.ended, { code: 0, signal: null });
  });
}

async function requests(context: TestContext, { handle, plain }: Asked): Promise<void> {
  await context.test('an awaited request has one answer', inTime, async () => {
    for (const value of [{ a: [1, 'b', null] }, 'text', 0, false, '', []]) {
      assert.deepEqual(await handle.request({ do: 'echo', with: value }), value);
    }
    const about = (await handle.request({ do: 'about' })) as About;
    assert.deepEqual([about.name, about.state, about.params], ['helper', 'running', "{ from: 'the test' }"]);
  });

  await context.test('five requests at once are all answered, each with its own answer', inTime, async () => {
    const answered = upTo(5).map((n) => handle.request({ do: 'echo', with: n }));
    assert.deepEqual(await Promise.all(answered), upTo(5));
  });

  await context.test('callbacks get the answer of their own request', inTime, async () => {
    const got = new Map<string, unknown>();
    const ids = upTo(5).map((n) => {
      const id: string = handle.sendRequest(
        { do: n === 3 ? 'fail' : 'echo', with: n },
        { callback: (error, response) => got.set(id, error?.message ?? response) },
      );
      return id;
    });
    await until('all have been called', () => got.size === 5);
    const expected = upTo(5).map((n) => (n === 3 ? '"helper" answered with an error: 3' : n));
    assert.deepEqual(
      ids.map((id) => got.get(id)),
      expected,
    );
  });

  await context.test('answers without a callback are kept, and given once', inTime, async () => {
    const [first, second] = [1, 2].map((n) => handle.sendRequest({ do: 'echo', with: n }));
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(await handle.awaitResponse(second), 2);
    await until('the first is there', async () => (await handle.poll()) || handle.getResponse(first) === 1);
    throwsWith(() => handle.getResponse(first), 'IPCM_INVALID_OPTION');
    throwsWith(() => handle.getResponse('nonsense'), 'IPCM_INVALID_OPTION');
  });

  await context.test('two who wait for the same answer both get it', inTime, async () => {
    const id = handle.sendRequest({ do: 'slow', with: 20 });
    await Promise.all([handle.awaitResponse(id), handle.awaitResponse(id)]);
  });

  await context.test('awaitAllResponses waits for all, and tells answers from errors', inTime, async () => {
    const ids = upTo(4).map((n) => handle.sendRequest({ do: n % 2 === 0 ? 'echo' : 'fail', with: n }));
    const all = await handle.awaitAllResponses();
    assert.deepEqual(new Set(all.keys()), new Set(ids));
    const errors = [...all.values()].filter((settled) => 'error' in settled);
    assert.ok(errors.every(({ error }) => isIpcError(error, 'IPCM_REQUEST_FAILED')));
    assert.equal(errors.length, 2);
    assert.equal((await handle.awaitAllResponses()).size, 0);
  });

  await context.test('answers may come later, and in another order', inTime, async () => {
    const order: number[] = [];
    const held = upTo(3).map((n) => handle.request({ do: 'hold' }).then(() => order.push(n)));
    // Requests arrive in order, so this one finds the others in hand.
    await handle.request({ do: 'release' });
    await Promise.all(held);
    assert.deepEqual(order, [2, 1, 0]);
  });

  await context.test('no more requests are in hand than the service allows', inTime, async () => {
    await Promise.all(upTo(40).map(() => handle.request({ do: 'slow', with: 2 })));
    assert.equal(await handle.request({ do: 'busiest' }), 8);
  });

  await context.test(
    'a message that is no answer is kept for the owner of the handle, and given once',
    inTime,
    async () => {
      const content = { not: 'an answer' };
      await handle.request({ do: 'send', with: { to: handle.client.id, content } });
      const kept = await handle.messages();
      assert.deepEqual(
        kept.map((message) => [message.from, message.content]),
        [['helper', content]],
      );
      assert.deepEqual(await handle.messages(), []);
      await plain.sendMessage(handle.client.id, 'to be polled for');
      assert.equal(await handle.poll({ timeout: 10_000 }), true);
      assert.equal((await handle.messages())[0]?.content, 'to be polled for');
      assert.equal(await handle.poll(), false);
    },
  );

  await context.test('poll returns as soon as an answer has come', inTime, async () => {
    const id = handle.sendRequest({ do: 'echo', with: 'polled' });
    const begin = performance.now();
    assert.equal(await handle.poll({ timeout: 20_000 }), true);
    assert.equal(handle.getResponse(id), 'polled');
    assert.ok(performance.now() - begin < 10_000, 'long before its deadline');
  });
}

async function answers(context: TestContext, { scene, bus, handle, plain }: Asked): Promise<void> {
  await context.test('a request as the reference writes it is answered as the reference reads it', inTime, async () => {
    await plain.sendMessage('helper', { ipcm_request_id: 'R-1', request: { do: 'echo', with: 'hello' } });
    const [answer] = await take(plain, 1);
    assert.deepEqual(answer?.content, { ipcm_response_id: 'R-1', response: 'hello' });
    await plain.sendMessage('helper', { ipcm_request_id: 'R-2', request: { do: 'fail', with: 'with a text' } });
    const [failure] = await take(plain, 1);
    const { ipcm_error_code: _, ...read } = fieldsOf(failure);
    assert.deepEqual(read, { ipcm_response_id: 'R-2', response: null, ipcm_error: 'with a text' });
  });

  await context.test('an answer as the reference writes it is an answer', inTime, async () => {
    const asking = await scene.handle(bus, plain.id);
    const answered = asking.request({ any: 'thing' });
    const [request] = await take(plain, 1);
    const { ipcm_request_id: id, ...rest } = fieldsOf(request);
    assert.deepEqual(rest, { request: { any: 'thing' } });
    await plain.sendMessage(asking.client.id, { ipcm_response_id: id, response: { some: 'answer' } });
    assert.deepEqual(await answered, { some: 'answer' });
    const refused = asking.request('again');
    const [again] = await take(plain, 1);
    const { ipcm_request_id: next } = fieldsOf(again);
    const failed = { ipcm_response_id: next, response: null, ipcm_error: 'Internal service error' };
    await plain.sendMessage(asking.client.id, failed);
    assert.match((await rejectsWith(refused, 'IPCM_REQUEST_FAILED')).message, /Internal service error/);
    await asking.stop();
  });

  await context.test(
    'an answer from somebody else is none, and one that nobody waits for is a stray',
    inTime,
    async () => {
      const asking = await scene.handle<Ask>(bus, 'helper');
      const id = asking.sendRequest({ do: 'hold' });
      // Between senders there is no order; answered, this one was behind the other.
      await asking.request({ do: 'echo' });
      await plain.sendMessage(asking.client.id, { ipcm_response_id: id, response: 'forged' });
      await plain.sendMessage('helper', { ipcm_response_id: 'nobody asked', response: 1 });
      await handle.request({ do: 'release' });
      assert.equal(await asking.awaitResponse(id), `released ${id}`);
      await until('it has told the stray', async () => {
        const strays = (await handle.request({ do: 'strays' })) as unknown[];
        return strays.length === 1;
      });
      await asking.stop();
    },
  );

  await context.test('general messages are dealt with beside requests', inTime, async () => {
    for (const n of upTo(3)) await plain.sendMessage('helper', { n });
    const seen: unknown[] = [];
    await until('it has got them', async () => {
      seen.push(...((await handle.request({ do: 'messages' })) as unknown[]));
      return seen.length === 3;
    });
    assert.deepEqual(
      seen,
      upTo(3).map((n) => ({ n })),
    );
  });
}
