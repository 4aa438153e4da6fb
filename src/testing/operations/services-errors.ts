/** How requests end otherwise than in an answer, and what their handlers know of it. */
import assert from 'node:assert/strict';
import type { ServiceDefinition } from '../../service/definition.ts';
import { fieldsOf, rejectsWith, take, throwsWith } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Scene } from '../scene.ts';
import { adder, discreet } from '../services/checked.ts';
import { helper, type Ask } from '../services/helper.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** A helper in this process, and a handle. */
async function asked(scene: Scene, options: ServiceDefinition = {}) {
  const bus = await scene.bus();
  await scene.serve(bus, 'helper', helper, options);
  return { bus, handle: await scene.handle<Ask>(bus, 'helper') };
}

const later = { timeout: 20_000 };

/** Tests of errors, deadlines and signals. */
export function serviceErrorTests(suite: Suite): void {
  suite.test('a handler that throws is an error for its caller, and the service lives', async (scene) => {
    const { bus, handle } = await asked(scene);
    const failed = await rejectsWith(handle.request({ do: 'fail', with: 'the details' }), 'IPCM_REQUEST_FAILED');
    assert.match(failed.message, /the details/);
    await scene.serve(bus, 'discreet', discreet);
    const discreetly = await scene.handle(bus, 'discreet');
    const hidden = await rejectsWith(discreetly.request('a secret'), 'IPCM_REQUEST_FAILED');
    assert.match(hidden.message, /Internal service error/);
    assert.doesNotMatch(hidden.message, /secret/);
    assert.equal(await handle.request({ do: 'echo', with: 'alive' }), 'alive');
  });

  suite.test('nobody there, too slow, gone, and refused are different errors', async (scene) => {
    const { bus, handle } = await asked(scene);
    await rejectsWith((await scene.handle(bus, 'nobody')).request(1, later), 'IPCM_PEER_UNKNOWN');
    await rejectsWith(handle.request({ do: 'hang' }, { timeout: 20 }), 'IPCM_TIMEOUT');
    const plain = await scene.connect(bus, 'plain');
    const lost = rejectsWith((await scene.handle(bus, 'plain')).request('for whom', later), 'IPCM_PEER_GONE');
    await take(plain, 1);
    await plain.disconnect();
    assert.equal((await lost).peer, 'plain');
    await scene.serve(bus, 'deaf', {});
    const refused = (await scene.handle(bus, 'deaf')).request('anything', later);
    assert.match((await rejectsWith(refused, 'IPCM_REQUEST_INVALID')).message, /no handleRequest/);
    await rejectsWith(handle.request({ do: 'echo', with: 1n }), 'IPCM_INVALID_CONTENT');
    await rejectsWith(handle.request({ do: 'echo' }, { timeout: Number.NaN }), 'IPCM_INVALID_OPTION');
    throwsWith(() => handle.sendRequest({ do: 'echo' }, { timeout: -1 }), 'IPCM_INVALID_OPTION');
  });

  suite.test('deadline and signal of a request reach its handler', async (scene) => {
    const { handle } = await asked(scene);
    await rejectsWith(handle.request({ do: 'hang', with: 'slow' }, { timeout: 30 }), 'IPCM_TIMEOUT');
    const controller = new AbortController();
    const pending = handle.request({ do: 'hang', with: 'unwanted' }, { signal: controller.signal });
    await handle.request({ do: 'echo' });
    const reason = new Error('not wanted any more');
    controller.abort(reason);
    await assert.rejects(pending, (error) => error === reason);
    await assert.rejects(handle.request({ do: 'echo' }, { signal: controller.signal }), (error) => error === reason);
    await until('both handlers know', async () => {
      const aborted = (await handle.request({ do: 'aborted' })) as string[];
      return aborted.includes('slow: IPCM_TIMEOUT') && aborted.includes('unwanted: IPCM_TIMEOUT');
    });
  });

  suite.test('a request is taken back also where no other is in hand, or it is not in hand yet', async (scene) => {
    const { handle } = await asked(scene, { concurrency: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const pending = handle.request({ do: 'hang', with: 'first' }, { signal: first.signal });
    const behind = handle.request({ do: 'hang', with: 'second' }, { signal: second.signal });
    assert.equal((await handle.info(later)).open, 1, 'what it knows of itself it tells all the same');
    second.abort(new Error('second'));
    await assert.rejects(behind, /second/);
    first.abort(new Error('first'));
    await assert.rejects(pending, /first/);
    assert.deepEqual(await handle.request({ do: 'aborted' }, later), ['first: IPCM_TIMEOUT']);
  });

  suite.test('an answer that cannot be sent is an error for its caller, at once', async (scene) => {
    const { handle } = await asked(scene);
    await rejectsWith(handle.request({ do: 'unsendable' }, later), 'IPCM_REQUEST_FAILED');
    await rejectsWith(handle.request({ do: 'holdUnsendable' }, later), 'IPCM_REQUEST_FAILED');
    assert.deepEqual(await handle.request({ do: 'messages' }), ['IPCM_INVALID_CONTENT'], 'and for its author');
  });

  suite.test('a schema checks requests and answers, and makes of them what it will', async (scene) => {
    const bus = await scene.bus();
    await scene.serve(bus, 'adder', adder);
    const handle = await scene.handle(bus, 'adder');
    assert.equal(await handle.request({ summands: [1, '2', 3] }), 6);
    const noArray = await rejectsWith(handle.request({ summands: 7 }, later), 'IPCM_REQUEST_INVALID');
    assert.match(noArray.message, /the request does not fit its schema: summands: is no array/);
    const noNumber = await rejectsWith(handle.request({ summands: [1, 'x'] }, later), 'IPCM_REQUEST_INVALID');
    assert.match(noNumber.message, /summands\.1: is no number/);
    const tooMuch = await rejectsWith(handle.request({ summands: [60, 60] }, later), 'IPCM_REQUEST_INVALID');
    assert.match(tooMuch.message, /the answer does not fit its schema: 120 is too much/);
    assert.equal(await handle.request({ summands: ['5'] }, later), 5, 'answered later');
    await rejectsWith(handle.request({ summands: [500] }, later), 'IPCM_REQUEST_INVALID');
  });

  suite.test('who does not read the answers holds up nobody else, and loses none', async (scene) => {
    const { bus, handle } = await asked(scene);
    const plain = await scene.connect(bus, 'plain');
    const count = 60;
    for (const n of upTo(count)) {
      await plain.sendMessage('helper', { ipcm_request_id: String(n), request: { do: 'large', with: 60_000 } });
    }
    assert.equal(await handle.request({ do: 'echo', with: 'served' }, later), 'served');
    const ids = (await take(plain, count)).map(
      ({ content }) => (content as Record<string, unknown>)['ipcm_response_id'],
    );
    assert.deepEqual(ids, upTo(count).map(String));
  });

  suite.test('a handler that waits for another service does not wait for itself', async (scene) => {
    const { bus, handle } = await asked(scene, { concurrency: 1 });
    await scene.serve(bus, 'other', helper);
    const to = 'other';
    const ask: Ask = { do: 'echo', with: 'forwarded' };
    // The third shall not hide the answers that the first waits for.
    const forwarded = [1, 2, 3].map(() => handle.request({ do: 'forward', with: { to, ask } }, later));
    assert.deepEqual(await Promise.all(forwarded), ['forwarded', 'forwarded', 'forwarded']);
  });

  suite.test('a service can ask others while it starts, while it ends, and in its cleanup', async (scene) => {
    const bus = await scene.bus();
    await scene.serve(bus, 'helper', helper);
    const told: unknown[] = [];
    const { service, ended } = await scene.serve(bus, 'asking', {
      async onStart(self) {
        told.push(await self.peer('helper').request({ do: 'echo', with: 'at the start' }, later));
      },
      async handleRequest(_, { service: self }) {
        // The end is asked for in the midst of a request, which needs an answer to be answered.
        const answer = self.peer('helper').request({ do: 'slow', with: 20 }, later);
        self.end();
        await answer;
        return self.peer('helper').request({ do: 'echo', with: 'while it ends' }, later);
      },
      async onCleanup(self) {
        told.push(await self.peer('helper').request({ do: 'echo', with: 'in the cleanup' }, later));
      },
    });
    assert.equal(await (await scene.handle(bus, 'asking')).request(1, later), 'while it ends');
    await ended;
    assert.deepEqual(told, ['at the start', 'in the cleanup']);
    assert.equal(service.state, 'ended');
  });

  if (!suite.subject.capabilities.suspend) return;

  suite.test('a suspended peer may still answer, until its deadline has passed', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const handle = await scene.handle(bus, 'plain');
    const pending = handle.request('take your time', later);
    const [request] = await take(plain, 1);
    await plain.suspend();
    await rejectsWith(handle.request('too slow', { timeout: 100 }), 'IPCM_TIMEOUT');
    const back = await scene.reconnect(bus, 'plain');
    const { ipcm_request_id: id } = fieldsOf(request);
    await back.sendMessage(handle.client.id, { ipcm_response_id: id, response: 'here it is' });
    assert.equal(await pending, 'here it is');
    const late = rejectsWith(handle.request('never answered', later), 'IPCM_PEER_EXPIRED');
    await take(back, 2);
    await back.suspend({ expiresIn: 100 });
    await late;
  });
}
