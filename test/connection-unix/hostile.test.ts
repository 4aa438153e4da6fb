import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Limits } from '../../src/protocol/protocol.ts';
import type { DirectoryStore } from '../../src/protocols/directory/store.ts';
import { everything, Report } from '../fixtures/directory-bus.ts';
import { entryPath, frame, jsonFrame, rawConnection, write } from '../fixtures/connection-unix-raw.ts';
import { joined, send, take, unixStore, until, type Linked } from '../fixtures/connection-unix-bus.ts';

interface Scene {
  readonly store: DirectoryStore;
  readonly victim: Linked;
  readonly report: Report;
}

async function scene(
  t: TestContext,
  protocolOptions: Record<string, unknown> = {},
  limits: Limits = { maxMessageBytes: 1e5 },
): Promise<Scene> {
  const store = unixStore(t);
  const report = new Report();
  const victim = await joined(t, store, 'victim', {
    report,
    more: { protocolOptions, limits },
  });
  return { store, victim, report };
}

/** The victim goes on with everybody else. */
async function assertUnharmed(t: TestContext, { store, victim }: Scene): Promise<void> {
  const friend = await joined(t, store, 'friend');
  await send(friend, 'friend', 'victim', 'fine');
  assert.deepEqual(await take(victim, 1), ['fine']);
}

async function hostile(t: TestContext, { store }: Scene, ...bytes: Buffer[]): Promise<Socket> {
  const socket = await rawConnection(store.route, 'victim');
  socket.resume();
  t.after(() => socket.destroy());
  for (const some of bytes) await write(socket, some);
  return socket;
}

/** Resolves when a socket is closed, by an error or not. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.once('close', () => resolve()));

const hello = jsonFrame({ hello: 'bad' });
const message = (content: unknown): Buffer =>
  jsonFrame({ id: 'x', from: 'bad', to: 'victim', stamp: 1, stamp_ord: 0, content });
const head = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

const badHellos: Readonly<Record<string, Buffer>> = {
  'no JSON': frame(Buffer.from('hello')),
  'random bytes': frame(Buffer.alloc(1000, 0xa7)),
  'no bytes at all': frame(Buffer.alloc(0)),
  'no object': jsonFrame(['hello']),
  'a number': jsonFrame({ hello: 7 }),
  'a reserved name': jsonFrame({ hello: '_x' }),
  'an empty name': jsonFrame({ hello: '' }),
  'a message in its place': message('x'),
  'four gigabytes': Buffer.concat([head(0xffffffff), Buffer.alloc(100)]),
  'a request of another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
};

for (const [what, bytes] of Object.entries(badHellos)) {
  test(`a hello that is ${what} costs the connection`, async (t) => {
    const here = await scene(t);
    const socket = await hostile(t, here, bytes);
    await closed(socket);
    assert.deepEqual(
      here.report.errors.map(({ code, client, peer }) => [code, client, peer]),
      [['IPCM_MALFORMED_MESSAGE', 'victim', undefined]],
    );
    await assertUnharmed(t, here);
  });
}

test('a message of four gigabytes costs the connection, before memory is taken', async (t) => {
  const here = await scene(t);
  const before = process.memoryUsage().arrayBuffers;
  const socket = await hostile(t, here, hello, message(1), head(0xffffffff), Buffer.alloc(1000));
  await closed(socket);
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  assert.deepEqual(await take(here.victim, 1), [1], 'what came before is whole');
  assert.deepEqual(
    here.report.errors.map(({ code, peer }) => [code, peer]),
    [['IPCM_MESSAGE_TOO_LARGE', 'bad']],
  );
  await assertUnharmed(t, here);
});

test('what follows a message over the limit is still received', async (t) => {
  const here = await scene(t);
  await hostile(t, here, Buffer.concat([hello, message(1), frame(Buffer.alloc(200_000)), message(3)]));
  assert.deepEqual(await take(here.victim, 2), [1, 3]);
  assert.deepEqual(
    here.report.errors.map(({ code }) => code),
    ['IPCM_MESSAGE_TOO_LARGE'],
  );
});

test('what follows a message over the limit stays as it was, whatever comes over other connections', async (t) => {
  const here = await scene(t);
  const socket = await hostile(t, here, hello);
  const other = await hostile(t, here, jsonFrame({ hello: 'other' }));
  await until('both are known', () => ['bad', 'other'].every((name) => here.victim.links.hasConnection(name)));
  const letters = ['A'.repeat(40), 'B'.repeat(40)];
  const late = 'Z'.repeat(60_000);
  await write(socket, Buffer.concat([frame(Buffer.alloc(200_000, 'x')), ...letters.map(message)]));
  await until('it is reported', () => here.report.errors.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await write(other, jsonFrame({ id: 'y', from: 'other', to: 'victim', stamp: 2, content: late }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    (await take(here.victim, 3)).filter((content) => content !== late),
    letters,
  );
  await assertUnharmed(t, here);
});

test('frames of no bytes cost the connection at once, and no memory', async (t) => {
  const here = await scene(t);
  const socket = await hostile(t, here, hello, message(1));
  socket.write(Buffer.alloc(1_000_000));
  await closed(socket);
  assert.deepEqual(await take(here.victim, 1), [1], 'what came before is whole');
  assert.deepEqual(
    here.report.errors.map(({ code, peer }) => [code, peer]),
    [['IPCM_MALFORMED_MESSAGE', 'bad']],
  );
  await assertUnharmed(t, here);
});

test('a connection that ends in the midst of a message is reported with its peer', async (t) => {
  const here = await scene(t);
  const socket = await hostile(t, here, hello, message(1), message(2).subarray(0, 20));
  socket.destroy();
  assert.deepEqual(await take(here.victim, 1), [1]);
  await until('it is reported', () => here.report.errors.length > 0);
  assert.deepEqual(
    here.report.errors.map(({ code, peer }) => [code, peer]),
    [['IPCM_MALFORMED_MESSAGE', 'bad']],
  );
  await assertUnharmed(t, here);
});

test('one who sends a byte now and then is parted with', async (t) => {
  const here = await scene(t, { partialFrameTimeout: 150 });
  const socket = await hostile(t, here, hello, message(1), head(50_000));
  const slow = setInterval(() => socket.write(Buffer.from([0])), 20);
  t.after(() => clearInterval(slow));
  await closed(socket);
  assert.deepEqual(await take(here.victim, 1), [1]);
  assert.match(here.report.errors[0]?.message ?? '', /"bad".*150 ms/);
  await assertUnharmed(t, here);
});

test("the time in which the receiver itself did not run is nobody's delay", async (t) => {
  const limits = { maxMessageBytes: 1e7 };
  const here = await scene(t, { partialFrameTimeout: 500 }, limits);
  const socket = await hostile(t, here, hello);
  socket.write(message('x'.repeat(4_000_000)));
  await until('a part has come', () => here.victim.pending?.() === true);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
  await until('the rest has come', () => here.victim.pending?.() !== true);
  assert.deepEqual(here.report.errors, []);
  assert.equal((await here.victim.receive(everything)).length, 1);
});

test('one who says nothing at all is parted with after five seconds', async (t) => {
  const here = await scene(t);
  const begin = performance.now();
  await closed(await hostile(t, here));
  assert.ok(performance.now() - begin > 4500);
  assert.equal(here.report.errors[0]?.code, 'IPCM_MALFORMED_MESSAGE');
});

test('one who connects and leaves without a word is nothing to report', async (t) => {
  const here = await scene(t);
  for (let n = 0; n < 20; n++) (await hostile(t, here)).destroy();
  await assertUnharmed(t, here);
  assert.deepEqual(here.report.errors, []);
});

test('a crowd of the silent keeps nobody out', async (t) => {
  const here = await scene(t);
  await Promise.all(Array.from({ length: 300 }, () => hostile(t, here)));
  await assertUnharmed(t, here);
});

test('who has said who it is before the event loop came round is not taken for silent', async (t) => {
  const here = await scene(t);
  const early = await hostile(t, here);
  await Promise.all(Array.from({ length: 300 }, () => hostile(t, here)));
  // Until all of them are accepted.
  await new Promise((resolve) => setTimeout(resolve, 200));
  // The event loop will learn of the newcomer first, for whom the oldest of a crowd makes room.
  const newcomer = connect({ path: entryPath(here.store.route, 'victim') });
  newcomer.on('error', () => undefined);
  t.after(() => newcomer.destroy());
  early.write(Buffer.concat([hello, message('early')]));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
  assert.deepEqual(await take(here.victim, 1), ['early']);
  await assertUnharmed(t, here);
});

test('what is no message costs the connection, once the client says so', async (t) => {
  const here = await scene(t);
  const socket = await hostile(t, here, hello, frame(Buffer.from('{}')));
  let incoming = await here.victim.receive({ messages: 1, bytes: 1e6 });
  while (incoming.length === 0) incoming = await here.victim.receive({ messages: 1, bytes: 1e6 });
  for (const one of incoming) await here.victim.reject?.(one);
  await closed(socket);
  assert.equal(here.victim.links.hasConnection('bad'), false);
  await assertUnharmed(t, here);
});

test('a flood that nobody reads stays with the kernel', async (t) => {
  const here = await scene(t);
  const before = process.memoryUsage().arrayBuffers;
  const socket = await hostile(t, here, hello);
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => message('x'.repeat(1000))));
  let written = 0;
  const more = (): void => void socket.write(flood, (error) => (error ? undefined : (written++, more())));
  more();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(written <= 1, `${written} MB were taken though nobody reads`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  socket.destroy();
});

test('a flood of the shortest frames stays with the kernel as well', async (t) => {
  const here = await scene(t);
  const socket = await hostile(t, here, hello);
  const flood = Buffer.concat(Array.from({ length: 100_000 }, () => frame(Buffer.from('x'))));
  let written = 0;
  const more = (): void => void socket.write(flood, (error) => (error ? undefined : (written++, more())));
  more();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(written, 0, `${written} floods were taken though nobody reads`);
  socket.destroy();
});
