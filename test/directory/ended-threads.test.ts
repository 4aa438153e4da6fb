// Clients of worker threads that were terminated.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ipcmSpawn, type Spawn } from '../../src/index.ts';
import { nativeUnavailable } from '../../src/native/native.ts';

/** Has a client connect in a thread, and ends that thread. */
async function leaveBehind(bus: Spawn, name: string): Promise<void> {
  const module = new URL('../../src/index.ts', import.meta.url).href;
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(${JSON.stringify(module)}).then(async ({ ipcmConnect }) => {
      await ipcmConnect(...workerData);
      parentPort.postMessage('connected');
      setInterval(() => undefined, 1000);
    });
  `;
  const worker = new Worker(code, { eval: true, workerData: [name, bus.info] });
  await once(worker, 'message');
  await worker.terminate();
}

for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix']) {
  const skip = protocol === 'UnixSocket' && (nativeUnavailable() ?? false);
  test(
    `${protocol}: the client of a terminated thread is gone for senders, and its name is free`,
    { skip },
    async () => {
      await using bus = await ipcmSpawn({ protocol, serializer: 'JSON', sanityCheck: false });
      const client = await bus.connect('client');
      await leaveBehind(bus, 'thread');
      await assert.rejects(client.sendMessage('thread', 'x'), {
        code: /^IPCM_PEER_(GONE|UNKNOWN)$/,
        message: /the thread of this process that held the name has died/,
      });
      assert.deepEqual(
        readdirSync(bus.route).filter((file) => file.startsWith('thread')),
        [],
      );
      await leaveBehind(bus, 'thread');
      const again = await bus.connect('thread');
      await client.sendMessage('thread', 'for the second');
      assert.equal((await again.getMessages({ timeout: 5000 }))[0]?.content, 'for the second');
      await assert.rejects(bus.connect('thread'), { code: 'IPCM_NAME_TAKEN' });
    },
  );
}
