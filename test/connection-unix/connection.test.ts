import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { nativeUnavailable } from '../../src/native/native.ts';
import type { DirectoryStore } from '../../src/protocols/directory/store.ts';
import { protocol } from '../../src/protocols/connection-unix/index.ts';
import { unixKind } from '../../src/protocols/connection-unix/kind.ts';
import { settingsOf } from '../../src/protocols/connection-unix/settings.ts';
import { descriptors } from '../../src/testing/leaks.ts';
import { contents, everything, folder, options, outgoing, Report } from '../fixtures/directory-bus.ts';
import { jsonFrame, rawConnection, write } from '../fixtures/connection-unix-raw.ts';
import { joined, send, take, unixStore, until, upTo } from '../fixtures/connection-unix-bus.ts';

const silent = { more: { protocolOptions: { listen: false } } };

test('an entry is a private socket, or an empty file for a client that does not listen; neither outlives it', async (t) => {
  const store = unixStore(t);
  const a = await joined(t, store, 'a');
  const b = await joined(t, store, 'b', silent);
  const entry = lstatSync(join(store.route, 'a'));
  assert.ok(entry.isSocket());
  assert.equal(entry.mode & 0o777, 0o600);
  assert.equal(statSync(join(store.route, 'b')).size, 0);
  assert.deepEqual(await a.links.listeningPeers(), []);
  assert.deepEqual(await b.links.listeningPeers(), ['a']);
  assert.deepEqual([await a.links.peerIsListener('b'), await b.links.peerIsListener('a')], [false, true]);
  for (const one of [a, b]) {
    await one.seal();
    await one.disconnect();
  }
  assert.deepEqual(
    readdirSync(store.route).filter((file) => file !== '.ipcm'),
    [],
  );
});

test('one who does not listen is reached over the connection that it opened, and only over that', async (t) => {
  const store = unixStore(t);
  const a = await joined(t, store, 'a');
  const quiet = await joined(t, store, 'quiet', silent);
  await assert.rejects(send(a, 'a', 'quiet', 1), { code: 'IPCM_PEER_UNKNOWN', message: /does not listen/ });
  await send(quiet, 'quiet', 'a', 'hello');
  assert.deepEqual(await take(a, 1), ['hello']);
  await send(a, 'a', 'quiet', 'answer');
  assert.deepEqual(await take(quiet, 1), ['answer']);
  assert.deepEqual(
    a.links.connections().map(({ peer, initiatedByUs }) => [peer, initiatedByUs]),
    [['quiet', false]],
  );
  assert.equal(quiet.links.connections()[0]?.initiatedByUs, true);
  assert.equal(quiet.links.disconnectConnection('a'), true);
  assert.equal(quiet.links.disconnectConnection('a'), false);
  await until('both ends are closed', () => !a.links.hasConnection('quiet'));
  await assert.rejects(send(a, 'a', 'quiet', 2), { code: 'IPCM_PEER_UNKNOWN' });
});

test('idle connections are closed, busy ones stay, and the next send connects again', async (t) => {
  const store = unixStore(t);
  const [a, b, c] = [await joined(t, store, 'a'), await joined(t, store, 'b'), await joined(t, store, 'c')];
  await send(a, 'a', 'b', 1);
  await send(a, 'a', 'c', 1);
  assert.equal(a.links.closeIdleConnections(10_000), 0);
  const last = a.links.lastActivity('b') ?? 0;
  assert.ok(Math.abs(Date.now() - last) < 5000);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await send(a, 'a', 'c', 2);
  assert.equal(a.links.closeIdleConnections(50), 1);
  assert.deepEqual([a.links.hasConnection('b'), a.links.hasConnection('c')], [false, true]);
  assert.equal(a.links.lastActivity('b'), undefined);
  await send(a, 'a', 'b', 2);
  assert.deepEqual(await take(b, 2), [1, 2]);
  assert.deepEqual(await take(c, 2), [1, 2]);
});

test('whatever is closed in between, by whichever side, order holds and nothing is lost or doubled', async (t) => {
  const store = unixStore(t);
  const [a, b] = [await joined(t, store, 'a'), await joined(t, store, 'b')];
  const count = 2000;
  const run = async (from: typeof a, me: string, to: string): Promise<void> => {
    for (const n of upTo(count)) {
      await send(from, me, to, n);
      if (n % 50 === 13) from.links.disconnectConnection(to);
      if (n % 70 === 7) await new Promise(setImmediate);
    }
  };
  const [atB, atA] = await Promise.all([take(b, count), take(a, count), run(a, 'a', 'b'), run(b, 'b', 'a')]);
  assert.deepEqual(atB, upTo(count));
  assert.deepEqual(atA, upTo(count));
});

test('clients that connect to each other at the same moment lose, double and disorder nothing', async (t) => {
  const store = unixStore(t);
  for (let round = 0; round < 30; round++) {
    const names = ['a', 'b', 'c', 'd'].map((name) => `${name}${round}`);
    const all = await Promise.all(names.map((name) => joined(t, store, name)));
    const pairs = all.flatMap((one, n) => names.filter((name) => name !== names[n]).map((to) => ({ one, n, to })));
    const sends = pairs.map(async ({ one, n, to }) => {
      for (const k of upTo(20)) await send(one, names[n] ?? '', to, `${n}:${k}`);
    });
    const received = await Promise.all(all.map((one) => take(one, 60)));
    await Promise.all(sends);
    for (const [to, got] of received.entries()) {
      for (const from of upTo(4).filter((n) => n !== to)) {
        assert.deepEqual(
          got.filter((one) => String(one).startsWith(`${from}:`)),
          upTo(20).map((k) => `${from}:${k}`),
        );
      }
    }
    for (const one of all) one.closeSync();
  }
});

test('frames of an older connection come before those of the newer one', async (t) => {
  const store = unixStore(t);
  const rx = await joined(t, store, 'rx');
  const message = (content: number): Buffer =>
    jsonFrame({ id: 'x', from: 'tx', to: 'rx', stamp: 1, stamp_ord: 0, content });
  const hello = jsonFrame({ hello: 'tx' });
  const older = await rawConnection(store.route, 'rx');
  await write(older, Buffer.concat([hello, ...upTo(500).map(message)]));
  older.end();
  const newer = await rawConnection(store.route, 'rx');
  await write(newer, Buffer.concat([hello, ...upTo(500).map((n) => message(500 + n))]));
  assert.deepEqual(await take(rx, 1000), upTo(1000));
  older.destroy();
  newer.destroy();
});

test('what was sent arrives though the receiver is leaving, or has not looked up yet', async (t) => {
  const store = unixStore(t);
  const a = await joined(t, store, 'a');
  for (let round = 0; round < 20; round++) {
    const b = await joined(t, store, 'b');
    await send(a, 'a', 'b', 1, 2, 3);
    await b.seal();
    assert.deepEqual(contents(await b.receive(everything)), [1, 2, 3]);
    assert.deepEqual(await b.receive(everything), []);
    await b.disconnect();
    await assert.rejects(send(a, 'a', 'b', 'late'), { code: 'IPCM_PEER_GONE' });
    await assert.rejects(send(a, 'a', 'b', 'later'), { code: 'IPCM_PEER_UNKNOWN' });
  }
});

test('a write into a peer that has gone does not lose what it had sent before', async (t) => {
  const store = unixStore(t);
  const a = await joined(t, store, 'a');
  const b = await joined(t, store, 'b');
  await send(a, 'a', 'b', 'hello');
  assert.deepEqual(await take(b, 1), ['hello']);
  await send(b, 'b', 'a', ...upTo(50));
  b.closeSync();
  await assert.rejects(send(a, 'a', 'b', 'too late'), { code: 'IPCM_PEER_GONE' });
  assert.deepEqual(await take(a, 50), upTo(50));
});

test('a peer that does not read is waited for, and its end is the end of the wait', async (t) => {
  const store = unixStore(t);
  const a = await joined(t, store, 'a');
  const b = await joined(t, store, 'b');
  const big = 'x'.repeat(500_000);
  const waiting = send(a, 'a', 'b', big, big, big, big);
  const outcome = assert.rejects(waiting, { code: 'IPCM_PEER_GONE', peer: 'b' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const begin = performance.now();
  b.closeSync();
  await outcome;
  assert.ok(performance.now() - begin < 1000);
});

test('what a client sends to itself is bounded', async (t) => {
  const a = await joined(t, unixStore(t), 'a', silent);
  const batch = outgoing('a', 'a', ...upTo(8).map(() => 'x'.repeat(200_000)));
  const { taken, blocked } = await a.deliver('a', batch);
  assert.ok(taken > 0 && taken < 8);
  assert.equal((await take(a, taken)).length, taken);
  await blocked;
  assert.equal((await a.deliver('a', batch.slice(taken))).taken, 8 - taken);
});

test('a thousand connections made and closed leave no descriptor', async (t) => {
  const store = unixStore(t);
  const [a, b] = [await joined(t, store, 'a'), await joined(t, store, 'b')];
  await send(a, 'a', 'b', 'first');
  await take(b, 1);
  const before = descriptors().length;
  for (const n of upTo(1000)) {
    await send(a, 'a', 'b', n);
    assert.deepEqual(await take(b, 1), [n]);
    (n % 2 === 0 ? a.links : b.links).disconnectConnection(n % 2 === 0 ? 'b' : 'a');
  }
  await until('all are closed', () => descriptors().length <= before);
});

test('a route too long for a socket is an error that says so; a short name on a long one works', async (t) => {
  const root = folder(t);
  for (const [length, name, works] of [
    [90, 'abc', true],
    [97, 'abc', true],
    [90, 'a name that does not fit', false],
    [60, 'n'.repeat(500), true],
    [99, 'abcdefgh', false],
  ] as const) {
    const route = join(root, 'r'.repeat(length - root.length - 1));
    const made = protocol.create({ ...options, route, owner: ownIdentity(), guard: true }) as DirectoryStore;
    if (works) {
      const one = await joined(t, made, name, { report: new Report() });
      const other = await joined(t, made, 'x');
      await send(other, 'x', name, 'fits');
      assert.deepEqual(await take(one, 1), ['fits']);
      other.closeSync();
      one.closeSync();
    } else await assert.rejects(joined(t, made, name), { code: 'IPCM_ROUTE_INVALID', message: /42.*shorter route/ });
    made.remove();
  }
});

test('an entry that is taken is refused, and nothing is left of the try', async (t) => {
  const store = unixStore(t);
  const entry = join(store.route, 'taken');
  mkdirSync(join(store.route, '.ipcm', 'out'), { recursive: true });
  writeFileSync(entry, 'of somebody else');
  const before = descriptors().length;
  const kind = unixKind(settingsOf({}));
  const request = {
    name: 'taken',
    mode: 'connect',
    identity: ownIdentity(),
    acknowledge: false,
    report: new Report(),
  } as const;
  await assert.rejects(async () => kind.enter(entry, 'new', request), { code: 'EEXIST' });
  await until('nothing is left', () => descriptors().length <= before);
  assert.deepEqual(readdirSync(join(store.route, '.ipcm', 'out')), []);
  assert.equal(statSync(entry).size, 16);
});

test('to listen is written as a number as well', async (t) => {
  const store = unixStore(t);
  const isListener = async (listen: unknown): Promise<boolean> => {
    const one = await joined(t, store, `listens-${String(listen)}`, { more: { protocolOptions: { listen } } });
    return lstatSync(join(store.route, `listens-${String(listen)}`)).isSocket() && one.links !== undefined;
  };
  assert.deepEqual([await isListener(0), await isListener(1)], [false, true]);
});

test('an idle time that is none is refused, and closes nothing', async (t) => {
  const store = unixStore(t);
  const [a, b] = [await joined(t, store, 'a'), await joined(t, store, 'b')];
  await send(a, 'a', 'b', 1);
  for (const idle of [NaN, -1, '10' as unknown as number, undefined as unknown as number]) {
    assert.throws(() => a.links.closeIdleConnections(idle), TypeError);
  }
  assert.ok(a.links.hasConnection('b'));
  assert.deepEqual(await take(b, 1), [1]);
});

test('a client that leaves while it connects to a peer leaves no connection', async (t) => {
  const store = unixStore(t);
  const b = await joined(t, store, 'b');
  const before = descriptors().length;
  const a = await joined(t, store, 'a', silent);
  const sent = assert.rejects(send(a, 'a', 'b', 1), { code: 'IPCM_PEER_GONE', message: /this client has left/ });
  a.closeSync();
  await sent;
  await until('nothing is left', () => descriptors().length <= before);
  assert.deepEqual(await b.receive(everything), []);
});

test(
  'what reaches a client that leaves, from a peer that does not end, arrives or is refused',
  { skip: nativeUnavailable() ?? false },
  async (t) => {
    const store = unixStore(t);
    const mine = await joined(t, store, 'mine');
    // It sends for as long as anything is taken, and never ends its half.
    const program = `
    const frame = (value) => {
      const bytes = Buffer.from(JSON.stringify(value));
      const head = Buffer.alloc(4);
      head.writeUInt32BE(bytes.length);
      return Buffer.concat([head, bytes]);
    };
    const socket = require('node:net').connect({ path: process.argv[1], allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(frame({ hello: 'peer' }));
    let taken = 0;
    const next = () => socket.write(frame({ id: 'x', from: 'peer', to: 'mine', stamp: 1, content: taken }), (error) => {
      if (error) process.send(taken, () => process.exit());
      else { taken++; setImmediate(next); }
    });
    next();
  `;
    const peer = spawn(process.execPath, ['-e', program, join(store.route, 'mine')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    t.after(() => peer.kill('SIGKILL'));
    const said = once(peer, 'message') as Promise<[number]>;
    const got: unknown[] = [];
    while (got.length === 0) got.push(...contents(await mine.receive(everything)));
    await mine.seal();
    for (let some; (some = contents(await mine.receive(everything))).length > 0;) got.push(...some);
    await mine.disconnect();
    const [taken] = await said;
    assert.deepEqual(got, upTo(taken));
  },
);

test('options that are none are refused', () => {
  for (const protocolOptions of [{ listen: 'no' }, { partialFrameTimeout: 0 }, { allowUsers: ['me'] }]) {
    assert.throws(() => protocol.open('/tmp', { ...options, protocolOptions }), { code: 'IPCM_INVALID_OPTION' });
  }
});
