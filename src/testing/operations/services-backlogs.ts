/** More comes to a service than it can deal with at once: nothing waits for ever, and nothing is lost without a word. */
import assert from 'node:assert/strict';
import { isIpcError } from '../../errors.ts';
import type { RequestContext, Service } from '../../service/definition.ts';
import { deferred } from '../../launch/deferred.ts';
import { rejectsWith, take } from '../assertions.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Nothing here waits for it: a failure by this says that something waits for itself. */
const never = { timeout: 20_000 };

/** Tests of backlogs. */
export function serviceBacklogTests(suite: Suite): void {
  suite.test('a request that a message answers is answered, however many others wait', async (scene) => {
    const bus = await scene.bus();
    const worker = await scene.connect(bus, 'worker');
    await scene.serve(bus, 'jobs', {
      concurrency: 2,
      async handleRequest(_: unknown, context: RequestContext) {
        await context.service.client.sendMessage('worker', context.id);
        return context.later();
      },
      async onGeneralMessage({ content }, service: Service) {
        await service.sendResponse(String(content), 'done');
      },
    });
    const handle = await scene.handle(bus, 'jobs');
    const count = 200;
    const jobs = Promise.all(upTo(count).map((n) => handle.request(n, never)));
    for (const _ of upTo(count)) {
      const [job] = await take(worker, 1);
      await worker.sendMessage('jobs', job?.content);
    }
    assert.equal((await jobs).length, count);
  });

  suite.test('general messages that wait for their turn hold up no request', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const gate = deferred<void>();
    const dealt: unknown[] = [];
    await scene.serve(bus, 'slow', {
      concurrency: 1,
      handleRequest: (request: unknown) => request,
      async onGeneralMessage({ content }) {
        await gate.promise;
        dealt.push(content);
      },
    });
    const handle = await scene.handle(bus, 'slow');
    const count = 300;
    const sent = Promise.all(upTo(count).map((n) => plain.sendMessage('slow', n)));
    assert.equal(await handle.request('at once', never), 'at once');
    await sent;
    assert.equal(await handle.request('still', never), 'still');
    assert.deepEqual(dealt, []);
    gate.resolve();
    await until('all have been dealt with', () => dealt.length === count);
    assert.deepEqual(dealt, upTo(count));
  });

  suite.test('the end deals with the general messages that have come, as long as it may', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const dealt: unknown[] = [];
    const { service, ended } = await scene.serve(bus, 'orderly', {
      handleRequest: (request: unknown) => request,
      async onGeneralMessage({ content }) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        dealt.push(content);
      },
    });
    for (const n of upTo(5)) await plain.sendMessage('orderly', n);
    await plain.sendMessage('orderly', { terminate: 1 });
    await ended;
    assert.equal(service.state, 'ended');
    assert.deepEqual(dealt, upTo(5));
  });

  suite.test('general messages that a service has left at its end are told', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const gate = deferred<void>();
    let begun = 0;
    const body = {
      drainTimeout: 20,
      async onGeneralMessage() {
        begun++;
        await gate.promise;
      },
    };
    const silent = await scene.serve(bus, 'silent', body);
    const left: unknown[] = [];
    const told = await scene.serve(bus, 'told', { ...body, onUnhandled: ({ content }) => void left.push(content) });
    for (const { service, ended } of [silent, told]) {
      begun = 0;
      for (const n of upTo(4)) await plain.sendMessage(service.name, n);
      await until('the first is in hand', () => begun === 1);
      service.end();
      if (service.name === 'told') {
        await ended;
        assert.deepEqual(left, [1, 2, 3]);
      } else {
        const error = await rejectsWith(ended, 'IPCM_UNREAD_MESSAGES');
        assert.equal((error.details as { readonly total: number }).total, 3);
      }
    }
    gate.resolve();
  });

  suite.test('a request that waits when its service ends is refused, and one in hand is answered', async (scene) => {
    const bus = await scene.bus();
    const gate = deferred<void>();
    const { service, ended } = await scene.serve(bus, 'ending', {
      concurrency: 1,
      async handleRequest() {
        await gate.promise;
        return 'answered';
      },
    });
    const handle = await scene.handle(bus, 'ending');
    const inHand = handle.request(1, never);
    const waiting = handle.request(2, never);
    // What it is asked by the same client after them it has read after them.
    assert.equal((await handle.info(never)).open, 1);
    service.end();
    await rejectsWith(waiting, 'IPCM_REQUEST_REFUSED');
    gate.resolve();
    assert.equal(await inHand, 'answered');
    await ended;
  });

  suite.test('a request whose deadline has passed before its turn came is not begun', async (scene) => {
    const bus = await scene.bus();
    const gate = deferred<void>();
    const begun: unknown[] = [];
    await scene.serve(bus, 'busy', {
      concurrency: 1,
      async handleRequest(request: unknown) {
        begun.push(request);
        await gate.promise;
        return request;
      },
    });
    const handle = await scene.handle(bus, 'busy');
    const first = handle.request('first', never);
    const passed = Date.now() + 50;
    const late = rejectsWith(handle.request('late', { timeout: 30 }), 'IPCM_TIMEOUT');
    const last = handle.request('last', never);
    await late;
    await until('its deadline has passed', () => Date.now() > passed);
    gate.resolve();
    assert.deepEqual(await Promise.all([first, last]), ['first', 'last']);
    assert.deepEqual(begun, ['first', 'last']);
  });

  suite.test('an answer that finds no room in the outbox waits for it', async (scene) => {
    const bus = await scene.bus();
    const plain = await scene.connect(bus, 'plain');
    const errors: unknown[] = [];
    const body = {
      handleRequest: () => 'x'.repeat(60_000),
      onError: (error: unknown) => void errors.push(isIpcError(error) ? error.code : error),
    };
    await scene.serve(bus, 'large', body, { connect: { outboxLimit: 200_000 } });
    const count = 60;
    for (const n of upTo(count)) await plain.sendMessage('large', { ipcm_request_id: String(n), request: null });
    const answers = await take(plain, count);
    const ids = answers.map(({ content }) => (content as Record<string, unknown>)['ipcm_response_id']);
    assert.deepEqual(new Set(ids), new Set(upTo(count).map(String)));
    assert.deepEqual(errors, []);
  });
}
