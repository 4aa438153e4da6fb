// What goes wrong around a client and must cost nothing else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ipcmSpawn, isIpcError } from '../../src/index.ts';

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

test('a requeue that the store refuses can be made again, and loses nothing that was read ahead', async () => {
  await using bus = await ipcmSpawn({ protocol: 'MessageFiles' });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  for (const n of [1, 2, 3, 4]) await a.sendMessage('b', n);
  const out = join(bus.route, '.ipcm/out');
  for await (const message of b.messages()) {
    rmdirSync(out);
    writeFileSync(out, 'nothing can be written here');
    await assert.rejects(b.requeueMessage(message), { code: 'IPCM_STORE_FAILED' });
    rmSync(out);
    mkdirSync(out);
    const [second, ...more] = await b.getMessages();
    assert.deepEqual(
      [second, ...more].map((one) => one?.content),
      [2, 3, 4],
    );
    await b.requeueMessage(message);
    break;
  }
  assert.deepEqual(
    (await b.getMessages()).map(({ content }) => content),
    [1],
  );
});

test('an acknowledgement that the store refuses can be made again', async () => {
  await using bus = await ipcmSpawn({ protocol: 'MessageFiles' });
  const [a, b] = [await bus.connect('a'), await bus.connect('b', { ack: true })];
  for (const n of [1, 2]) await a.sendMessage('b', n);
  const messages = await b.getMessages();
  const inbox = join(bus.route, 'b');
  const [first = '', second = ''] = readdirSync(inbox).sort();
  // What is a folder cannot be removed as a file.
  rmSync(join(inbox, second));
  mkdirSync(join(inbox, second));
  await assert.rejects(b.acknowledge(...messages), { code: 'IPCM_STORE_FAILED' });
  rmdirSync(join(inbox, second));
  writeFileSync(join(inbox, second), 'as it was');
  await b.acknowledge(...messages);
  assert.deepEqual(readdirSync(inbox), [], `${first} was removed at first, ${second} then`);
});

test('several things that go wrong when a client leaves are one error, with a code', async (t) => {
  const bus = await ipcmSpawn({ protocol: 'AtomicPipe', serializer: 'JSON', sanityCheck: false });
  t.after(() => bus.shutdown());
  const [a, b] = [await bus.connect('a', { drainTimeout: 1 }), await bus.connect('b')];
  await b.sendMessage('a', 'unread');
  const sends = [1, 2, 3].map(() => a.sendMessage('b', 'x'.repeat(1024 * 1024)));
  const sent = Promise.allSettled(sends);
  await assert.rejects(a.disconnect(), (error) => {
    assert.ok(isIpcError(error, 'IPCM_UNDELIVERED'));
    assert.match(error.message, /unsent.*; and .*unread messages/);
    const all = error.cause instanceof AggregateError ? (error.cause.errors as unknown[]) : [];
    assert.deepEqual(
      all.map((each) => isIpcError(each) && each.code),
      ['IPCM_UNDELIVERED', 'IPCM_UNREAD_MESSAGES'],
    );
    return true;
  });
  assert.ok((await sent).some(({ status }) => status === 'rejected'));
});

test('a shutdown ends, however long the clients of its own process would wait for room', async () => {
  const bus = await ipcmSpawn({ protocol: 'AtomicPipe', serializer: 'JSON', sanityCheck: false });
  const [a, b] = [await bus.connect('a', { drainTimeout: Infinity }), await bus.connect('b')];
  // It has begun to read, and does not go on.
  void b.messages().next();
  const sends = [1, 2, 3].map(() => a.tryMessage('b', 'x'.repeat(1024 * 1024)));
  await bus.shutdown({ timeout: 100 });
  assert.ok(a.disconnected && b.disconnected);
  await Promise.all(sends);
});

test('a shutdown ends, also where a client of its own process is leaving already, and would wait for ever', async () => {
  const bus = await ipcmSpawn({ protocol: 'UnixSocket', serializer: 'JSON', sanityCheck: false });
  const a = await bus.connect('a', { drainTimeout: Infinity });
  const b = await bus.connect('b');
  // It has begun to read, and does not go on.
  void b.messages().next();
  const sends = Array.from({ length: 100 }, () => a.tryMessage('b', 'x'.repeat(100_000)));
  const left = assert.rejects(a.disconnect(), { code: 'IPCM_UNDELIVERED' });
  await bus.shutdown({ timeout: 100 });
  await left;
  const outcomes = await Promise.all(sends);
  assert.ok(outcomes.some(({ sent }) => !sent));
});

test('what a suspend cannot put back is named', async () => {
  await using bus = await ipcmSpawn({ protocol: 'MessageFiles', sanityCheck: false });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  for (const n of [1, 2, 3]) await a.sendMessage('b', n);
  for await (const _ of b.messages()) break;
  const out = join(bus.route, '.ipcm/out');
  rmdirSync(out);
  writeFileSync(out, 'nothing can be written here');
  await assert.rejects(b.suspend(), (error) => {
    assert.ok(isIpcError(error, 'IPCM_UNREAD_MESSAGES'));
    const { messages } = error.details as { messages: { content: unknown }[] };
    assert.deepEqual(
      messages.map(({ content }) => content),
      [2, 3],
    );
    return true;
  });
  rmSync(out);
});
