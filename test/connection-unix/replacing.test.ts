/** A pair of clients keeps one connection: a newer one replaces the older, and of two made at once one stays. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { FrameReader } from '../../src/protocols/connection-unix/frames.ts';
import type { DirectoryStore } from '../../src/protocols/directory/store.ts';
import { descriptors } from '../../src/testing/leaks.ts';
import { entryPath, jsonFrame, rawConnection, write } from '../fixtures/connection-unix-raw.ts';
import { joined, send, take, unixStore, until, upTo, type Linked } from '../fixtures/connection-unix-bus.ts';

const message = (from: string, content: unknown): Buffer =>
  jsonFrame({ id: 'x', from, to: 'mine', stamp: 1, stamp_ord: 0, content });
const hello = (name: string): Buffer => jsonFrame({ hello: name });

/** The contents that come over a socket, without the hello. */
function reading(socket: Socket): unknown[] {
  const contents: unknown[] = [];
  const frame = (bytes: Uint8Array): void => {
    const value = JSON.parse(Buffer.from(bytes).toString()) as { content?: unknown };
    if (value.content !== undefined) contents.push(value.content);
  };
  const frames = new FrameReader(1e6, { frame, refused: () => assert.fail('refused') });
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => frames.push(chunk));
  return contents;
}

/** Listens as another client; returns the connections that are made to it. */
async function listening(t: TestContext, store: DirectoryStore, name: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await once(server.listen(entryPath(store.route, name)), 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

async function dialed(t: TestContext, store: DirectoryStore): Promise<Socket> {
  const socket = await rawConnection(store.route, 'mine');
  t.after(() => socket.destroy());
  return socket;
}

/** A connection of `mine` to a peer, over which the peer has said nothing yet. */
async function connected(mine: Linked, peer: string, sockets: readonly Socket[]): Promise<Socket> {
  await send(mine, 'mine', peer, 'first');
  await until('it is accepted', () => sockets.length > 0);
  const [socket] = sockets;
  assert.ok(socket !== undefined);
  return socket;
}

test('the newer connection of a peer is sent over, the older ends, and its frames come first', async (t) => {
  const store = unixStore(t);
  const mine = await joined(t, store, 'mine');
  const [older, newer] = [await dialed(t, store), await dialed(t, store)];
  const [atOlder, atNewer] = [reading(older), reading(newer)];
  await write(older, Buffer.concat([hello('peer'), ...upTo(100).map((n) => message('peer', n))]));
  await until('it is known', () => mine.links.hasConnection('peer'));
  await send(mine, 'mine', 'peer', 'to the older');
  const ended = once(older, 'end');
  await write(newer, Buffer.concat([hello('peer'), ...upTo(100).map((n) => message('peer', 100 + n))]));
  await ended;
  await send(mine, 'mine', 'peer', 'to the newer');
  await until('it has come', () => atNewer.length > 0);
  assert.deepEqual([atOlder, atNewer], [['to the older'], ['to the newer']]);
  assert.deepEqual(await take(mine, 200), upTo(200));
});

for (const peer of ['a peer', 'peer']) {
  test(`twenty connections of ${peer} leave one of its own, also where there is one of ours`, async (t) => {
    const store = unixStore(t);
    const mine = await joined(t, store, 'mine');
    const sockets = await listening(t, store, peer);
    const ours = await connected(mine, peer, sockets);
    reading(ours);
    let closed = 0;
    for (const n of upTo(20)) {
      const socket = await dialed(t, store);
      reading(socket);
      socket.on('close', () => closed++);
      await write(socket, Buffer.concat([hello(peer), message(peer, n)]));
      await take(mine, 1);
    }
    await until('all but one are closed', () => closed >= 19);
    await send(mine, 'mine', peer, 'more');
  });

  test(`where ${peer}, which goes on over what was opened to it, connects at the same moment, nothing is lost`, async (t) => {
    const store = unixStore(t);
    const mine = await joined(t, store, 'mine');
    const sockets = await listening(t, store, peer);
    const own = await dialed(t, store);
    const atOwn = reading(own);
    const ours = await connected(mine, peer, sockets);
    await write(own, Buffer.concat([hello(peer), message(peer, 0)]));
    const atOurs = reading(ours);
    await send(mine, 'mine', peer, ...upTo(10));
    await until('its hello is read', () => atOurs.length > 0);
    await write(ours, message(peer, 1));
    own.end();
    assert.deepEqual(await take(mine, 2), [0, 1]);
    await until('it has ended', () => own.destroyed);
    await send(mine, 'mine', peer, ...upTo(10).map((n) => 10 + n));
    await until('all has come', () => atOwn.length + atOurs.length >= 21);
    assert.deepEqual([...atOwn, ...atOurs], ['first', ...upTo(20)]);
    assert.equal(sockets.length, 1, 'over one connection');
  });

  test(`what ${peer} sent over its own connection comes before what it sent over ours`, async (t) => {
    const store = unixStore(t);
    const mine = await joined(t, store, 'mine');
    const ours = await connected(mine, peer, await listening(t, store, peer));
    // In one go, so that what came over which is seen in any order.
    const own = connect({ path: entryPath(store.route, 'mine') });
    t.after(() => own.destroy());
    own.write(Buffer.concat([hello(peer), message(peer, 0)]));
    await once(own, 'connect');
    ours.write(message(peer, 1));
    assert.deepEqual(await take(mine, 2), [0, 1]);
  });

  test(`what ${peer} sent over ours before it ended it comes before what it sent over a newer one, which is sent over`, async (t) => {
    const store = unixStore(t);
    const mine = await joined(t, store, 'mine');
    const ours = await connected(mine, peer, await listening(t, store, peer));
    ours.end(message(peer, 0));
    const own = await dialed(t, store);
    const atOwn = reading(own);
    await write(own, Buffer.concat([hello(peer), message(peer, 1)]));
    assert.deepEqual(await take(mine, 2), [0, 1]);
    await send(mine, 'mine', peer, 'answer');
    await until('it has come', () => atOwn.length > 0);
    assert.deepEqual(atOwn, ['answer']);
  });
}

test('of two clients that connect to each other at the same moment, the one that comes first by name keeps its connection', async (t) => {
  const store = unixStore(t);
  const [first, second] = [await joined(t, store, 'first'), await joined(t, store, 'second')];
  await send(first, 'first', 'second', 'warm');
  await take(second, 1);
  const one = descriptors().length;
  for (let round = 0; round < 50; round++) {
    first.links.disconnectConnection('second');
    second.links.disconnectConnection('first');
    await until('none is left', () => !first.links.hasConnection('second') && !second.links.hasConnection('first'));
    const sending = [first, second].map(async (from, n) => {
      for (const k of upTo(5)) await send(from, ['first', 'second'][n] ?? '', ['second', 'first'][n] ?? '', k);
    });
    const received = await Promise.all([take(second, 5), take(first, 5), ...sending]);
    assert.deepEqual(received.slice(0, 2), [upTo(5), upTo(5)]);
    await until('one is left', () => descriptors().length <= one);
    const [here] = first.links.connections();
    const [there] = second.links.connections();
    assert.notEqual(here?.initiatedByUs, there?.initiatedByUs, 'it is the same');
  }
});

for (const [closes, yields] of [
  [2, 47],
  [10, 17],
  [16, 42],
  [34, 27],
] as const) {
  test(`each side closes after ${closes} messages and goes on: order holds, nothing is lost or doubled`, async (t) => {
    const store = unixStore(t);
    for (let round = 0; round < 5; round++) {
      const names = [`a${round}`, `b${round}`] as const;
      const [a, b] = [await joined(t, store, names[0]), await joined(t, store, names[1])];
      const run = async (from: Linked, me: string, to: string, phase: number): Promise<void> => {
        for (const n of upTo(400)) {
          await send(from, me, to, n);
          if (n % closes === 1) from.links.disconnectConnection(to);
          if ((n + phase) % yields === 0) await new Promise(setImmediate);
        }
      };
      const runs = [run(a, names[0], names[1], 0), run(b, names[1], names[0], round)];
      const [atA, atB] = await Promise.all([take(a, 400), take(b, 400), ...runs]);
      assert.deepEqual([atA, atB], [upTo(400), upTo(400)]);
      a.closeSync();
      b.closeSync();
    }
  });
}
