// What a monitor hears of requests, on both sides, and what it can send along.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { test, type TestContext } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmServiceHandle } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';

type Trace = Readonly<Record<string, unknown>> & { readonly carried: Record<string, string> };
type Subscribers = Partial<Record<'start' | 'asyncEnd' | 'error', (trace: Trace) => void>>;

/** Subscribes until the test is over. */
function subscribe(context: TestContext, name: string, subscribers: Subscribers): void {
  const channel = tracingChannel(`ipc-manager:${name}`);
  // The types of Node ask for all five events; any of them will do.
  const all = subscribers as unknown as Parameters<typeof channel.subscribe>[0];
  channel.subscribe(all);
  context.after(() => channel.unsubscribe(all));
}

test('requests are traced on both sides, with what their sender wants to go with them', async (context) => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory', sanityCheck: false });
  const parents = new AsyncLocalStorage<string>();
  const served = await ipcmServe('server', bus.info, {
    interceptErrors: true,
    exposeErrorDetails: true,
    onError: () => undefined,
    handleRequest: (request) => {
      if (request === 'throw') throw new Error('thrown');
      return parents.getStore() ?? null;
    },
  });
  const handle = await ipcmServiceHandle('server', bus.info, { client: 'asker' });
  assert.equal(await handle.request('untraced'), null);

  const heard: string[] = [];
  const note =
    (event: string, ...fields: string[]) =>
    (trace: Trace): void =>
      void heard.push(`${event} ${fields.map((field) => String(trace[field])).join(' ')}`);
  subscribe(context, 'request', {
    start: (trace) => {
      trace.carried['traceparent'] = '00-aa-bb-01';
      note('asks', 'client', 'peer', 'request')(trace);
    },
    asyncEnd: note('got', 'request', 'result'),
    error: note('failed', 'request'),
  });
  subscribe(context, 'handle', {
    start: note('handles', 'service', 'from', 'request'),
    asyncEnd: note('handled', 'request', 'result'),
  });
  const { start } = tracingChannel('ipc-manager:handle');
  start.bindStore(parents, (trace) => (trace as Trace).carried['traceparent'] ?? 'none');
  context.after(() => start.unbindStore(parents));

  assert.equal(await handle.request('traced'), '00-aa-bb-01');
  await rejectsWith(handle.request('throw'), 'IPCM_REQUEST_FAILED');
  const id = handle.sendRequest('kept');
  assert.equal(await handle.awaitResponse(id), '00-aa-bb-01');
  assert.deepEqual(heard, [
    'asks asker server traced',
    'handles server asker traced',
    'handled traced 00-aa-bb-01',
    'got traced 00-aa-bb-01',
    'asks asker server throw',
    'handles server asker throw',
    'handled throw undefined',
    'failed throw',
    'got throw undefined',
    'asks asker server kept',
    'handles server asker kept',
    'handled kept 00-aa-bb-01',
    'got kept 00-aa-bb-01',
  ]);
  await handle.stop();
  served.service.end();
  await served.ended;
});
