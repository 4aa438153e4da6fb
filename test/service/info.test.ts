import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmService, ipcmServiceHandle } from '../../src/service/index.ts';
import { readContent } from '../../src/service/wire.ts';

test('a service tells about itself, without its handler', async () => {
  await using handle = await ipcmService('told', {
    async handleRequest(request, { service }) {
      if (request === 'throw') throw new Error('as asked');
      const { ipcmWorker } = await import('../../src/service/index.ts');
      const worker = await ipcmWorker('helper', ({ signal }) => {
        return new Promise((resolve) => {
          const hold = setInterval(() => undefined, 1000);
          signal.addEventListener('abort', () => resolve(clearInterval(hold)));
        });
      });
      return [service.name, worker.pid];
    },
    onError: () => undefined,
  });
  const before = await handle.info();
  assert.deepEqual([before.name, before.state, before.node], ['told', 'running', process.version]);
  assert.equal(before.pid, await handle.servicePid());
  assert.deepEqual([before.requests, before.errors, before.open, before.workers], [0, 0, 0, []]);
  assert.ok(before.uptime >= 0 && before.startedAt <= Date.now());

  const [, pid] = (await handle.request('start')) as [string, number];
  await assert.rejects(handle.request('throw'), { code: 'IPCM_REQUEST_FAILED' });
  const after = await handle.info();
  assert.deepEqual([after.requests, after.errors, after.open], [2, 1, 0], 'questions like this one are not counted');
  assert.deepEqual(after.workers, [{ name: 'helper', pid }]);
  assert.ok(after.uptime >= before.uptime);
});

test('also one that answers no requests; it is shown on the bus as a service', async () => {
  await using bus = await ipcmSpawn();
  const { service, ended } = await ipcmServe('silent', bus, { onStart: () => undefined });
  const handle = await ipcmServiceHandle('silent', bus);
  assert.equal((await handle.client.peer('silent'))?.service, true);
  assert.equal((await handle.client.peer(handle.client.id))?.service, undefined);
  assert.equal((await handle.info({ timeout: 10_000 })).pid, process.pid);
  await assert.rejects(handle.request('anything'), { code: 'IPCM_REQUEST_INVALID' });
  service.end();
  await ended;
  await assert.rejects(handle.info({ timeout: 10_000 }), { code: 'IPCM_PEER_GONE' });
  await handle.stop();
});

test('only the number 1 asks for it: a request that happens to have such a field is the handler’s', () => {
  const request = { ipcm_request_id: 'a', request: 7, ipcm_service_info: 'yes' };
  assert.deepEqual(readContent(request), { kind: 'request', id: 'a', request: 7, deadline: undefined });
});
