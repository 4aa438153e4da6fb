// What goes wrong around a client and must cost nothing else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const early = '00000000-0000-7000-8000-000000000000.ready';

test('a listener that throws loses no message', async () => {
  // In a thread of its own, where what nobody catches ends nothing else.
  const code = `
    import { once } from 'node:events';
    import { writeFileSync } from 'node:fs';
    import { parentPort, workerData } from 'node:worker_threads';
    const { ipcmSpawn } = await import(workerData);
    const uncaught = once(process, 'uncaughtException');
    const bus = await ipcmSpawn({ protocol: 'MessageFiles', serializer: 'JSON' });
    const [a, b] = [await bus.connect('a'), await bus.connect('b')];
    b.on('rejected', () => { throw new Error('thrown by a listener'); });
    writeFileSync(bus.route + '/b/${early}', 'no message');
    for (const n of [1, 2, 3]) await a.sendMessage('b', n);
    const got = await b.getMessages({ timeout: 10_000 });
    const [{ message: thrown }] = await uncaught;
    await bus.shutdown();
    parentPort.postMessage({ thrown, got: got.map(({ content }) => content) });
  `;
  const index = new URL('../../src/index.ts', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: index });
  const [found] = (await once(worker, 'message')) as unknown[];
  assert.deepEqual(found, { thrown: 'thrown by a listener', got: [1, 2, 3] });
});
