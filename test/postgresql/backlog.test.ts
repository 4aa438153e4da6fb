/** A long backlog: read to its end in bounded memory, at a cost for each that does not grow. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

const messages = Number(process.env['IPCM_BACKLOG'] ?? 100_000);

test(`${messages} messages wait, and are read in order in bounded memory`, { timeout: 600_000 }, async () => {
  const bus = await ipcmSpawn({ protocol, route: await server.route(), guard: false });
  const a = await bus.connect('a');
  const b = await ipcmConnect('b', bus.info, { protocol });
  for (let n = 0; n < messages;) {
    const sends: Promise<void>[] = [];
    for (const end = Math.min(messages, n + 5000); n < end; n++) sends.push(a.sendMessage('b', { n }));
    await Promise.all(sends);
  }
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let most = 0;
  let expected = 0;
  for await (const { content } of b.messages()) {
    assert.equal((content as { n: number }).n, expected++);
    if (expected % 1000 === 0) most = Math.max(most, process.memoryUsage().rss);
    if (expected === messages) break;
  }
  assert.ok(most - before < 150 * 2 ** 20, `grew by ${Math.round((most - before) / 2 ** 20)} MiB`);
  assert.deepEqual(await b.getMessages(), []);
  await b.disconnect();
  await a.disconnect();
  await bus.shutdown();
});
