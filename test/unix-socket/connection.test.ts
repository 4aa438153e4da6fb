// One connection and its peers: datagrams, their limit, a queue that is full, peers that come and go.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { loadNative, nativeUnavailable, type Native } from '../../src/native/native.ts';
import type { Connection } from '../../src/protocol/protocol.ts';
import type { DirectoryStore } from '../../src/protocols/directory/store.ts';
import { protocol } from '../../src/protocols/unix-socket/index.ts';
import { queueLength } from '../../src/protocols/unix-socket/sizes.ts';
import { deliverAll, descriptorCount, storeOf } from '../fixtures/atomic-pipe-bus.ts';
import {
  connect,
  contents,
  deadIdentity,
  everything,
  messageOf,
  options,
  outgoing,
  Report,
} from '../fixtures/directory-bus.ts';

const skip = nativeUnavailable() ?? false;
const wire = join(import.meta.dirname, '../wire');
const { largestMessage } = protocol.capabilities;

function sender(t: TestContext, path: string): { send(bytes: Uint8Array): number; native: Native; fd: number } {
  const native = loadNative();
  assert.ok(native !== undefined);
  const fd = native.connectDatagram(path);
  t.after(() => native.close(fd));
  return { native, fd, send: (bytes) => native.sendBatch(fd, [bytes], 0) };
}

/** A peer that is sent one message in a datagram, as those of the reference are. */
async function connectPlainly(t: TestContext, store: DirectoryStore, name: string): Promise<Connection> {
  const connection = await connect(t, store, name);
  writeFileSync(`${store.route}/${name}.pid`, `${process.pid}\n`);
  return connection;
}

suite('UnixSocket', { skip }, () => {
  test('the recordings of the reference are read, and the same bytes are sent', async (t) => {
    const store = storeOf(t, protocol);
    const rx = await connect(t, store, 'rx');
    const raw = sender(t, `${store.route}/rx`);
    const messages = JSON.parse(readFileSync(join(wire, 'messages.json'), 'utf8')) as {
      id: string;
      content: unknown;
    }[];
    const files = readdirSync(join(wire, 'unix-socket')).sort();
    assert.equal(files.length, messages.length);
    const tx = await connect(t, store, 'tx');
    for (const [n, file] of files.entries()) {
      const bytes = readFileSync(join(wire, 'unix-socket', file));
      assert.equal(raw.send(bytes), 1);
      const [received] = (await rx.receive(everything)).map(messageOf);
      assert.deepEqual([received?.id, received?.content], [messages[n]?.id, messages[n]?.content]);
      if (received !== undefined) await tx.deliver('rx', [{ message: received, bytes }]);
      const [again] = await rx.receive(everything);
      assert.ok(again !== undefined && 'bytes' in again && Buffer.compare(again.bytes, bytes) === 0);
    }
  });

  test('an entry is a socket that only its owner may write to', async (t) => {
    const store = storeOf(t, protocol);
    await connect(t, store, 'rx');
    const state = lstatSync(`${store.route}/rx`);
    assert.ok(state.isSocket());
    assert.equal(state.mode & 0o077, 0);
  });

  test('the largest message is what the kernel takes from a socket as it comes, to the byte', async (t) => {
    const store = storeOf(t, protocol);
    const rx = await connect(t, store, 'rx');
    const raw = sender(t, `${store.route}/rx`);
    assert.equal(largestMessage, raw.native.sendBufferSize(raw.fd) - 32);
    assert.equal(raw.send(Buffer.alloc(largestMessage)), 1);
    const [received] = await rx.receive(everything);
    assert.ok(received !== undefined && 'bytes' in received && received.bytes.length === largestMessage);
    assert.ok(raw.send(Buffer.alloc(largestMessage + 1)) < 0);
  });

  test('a datagram that is larger all the same is told, and what is around it is read', async (t) => {
    const store = storeOf(t, protocol);
    const report = new Report();
    const rx = await connect(t, store, 'rx', { report });
    const raw = sender(t, `${store.route}/rx`);
    const wide = raw.native.setSendBufferSize(raw.fd, 1 << 20) - 32;
    if (wide <= largestMessage) return t.skip('net.core.wmem_max allows no larger ones');
    const [one, two] = outgoing('tx', 'rx', 1, 2);
    raw.send(one?.bytes ?? Buffer.alloc(0));
    assert.equal(raw.send(Buffer.alloc(wide)), 1);
    // By another: the buffer of this one is full as long as that is on its way.
    assert.equal(sender(t, `${store.route}/rx`).send(two?.bytes ?? Buffer.alloc(0)), 1);
    assert.deepEqual(contents(await rx.receive(everything)), [1, 2]);
    assert.deepEqual(
      report.errors.map(({ code, client }) => [code, client]),
      [['IPCM_MESSAGE_TOO_LARGE', 'rx']],
    );
  });

  test('a full queue blocks the sender, who is woken when there is room; others go on', async (t) => {
    const store = storeOf(t, protocol);
    const [slow, quick, tx] = [
      await connectPlainly(t, store, 'slow'),
      await connect(t, store, 'quick'),
      await connect(t, store, 'tx'),
    ];
    const batch = outgoing('tx', 'slow', ...Array.from({ length: 100 }, (_, n) => n));
    const first = await tx.deliver('slow', batch);
    assert.equal(first.taken, queueLength);
    assert.ok(first.blocked !== undefined);
    assert.equal((await tx.deliver('quick', outgoing('tx', 'quick', 'not held up'))).taken, 1);
    assert.deepEqual(contents(await quick.receive(everything)), ['not held up']);
    const rest = deliverAll(tx, 'slow', batch.slice(first.taken));
    const got: unknown[] = [];
    while (got.length < 100) {
      got.push(...contents(await slow.receive(everything)));
      await sleep(1);
    }
    await rest;
    assert.deepEqual(
      got,
      batch.map(({ message }) => message.content),
    );
  });

  test('the kernel wakes a sender when the reader frees a slot, and no timer', async (t) => {
    const store = storeOf(t, protocol);
    const [rx, tx] = [await connectPlainly(t, store, 'rx'), await connect(t, store, 'tx')];
    const all = Array.from({ length: queueLength + 1 }, (_, n) => n);
    t.mock.method(globalThis, 'setTimeout', () => assert.fail('a timer was set'));
    const { taken, blocked } = await tx.deliver('rx', outgoing('tx', 'rx', ...all));
    assert.ok(taken === queueLength && blocked !== undefined);
    let isFree = false;
    void blocked.then(() => (isFree = true));
    for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate);
    assert.equal(isFree, false);
    assert.deepEqual(contents(await rx.receive(everything)), all.slice(0, -1));
    await blocked;
    t.mock.restoreAll();
    await tx.deliver('rx', outgoing('tx', 'rx', queueLength));
    assert.deepEqual(contents(await rx.receive(everything)), [queueLength]);
  });

  test('what is in the queue when a client leaves is still received, and nothing more is taken', async (t) => {
    const store = storeOf(t, protocol);
    const rx = await connect(t, store, 'rx');
    const tx = await connect(t, store, 'tx');
    await tx.deliver('rx', outgoing('tx', 'rx', 1, 2, 3));
    await rx.seal();
    await assert.rejects(async () => deliverAll(tx, 'rx', outgoing('tx', 'rx', 4)), { code: 'IPCM_PEER_GONE' });
    assert.deepEqual(contents(await rx.receive(everything)), [1, 2, 3]);
    await rx.disconnect();
  });

  test('a peer that comes again under its name is found', async (t) => {
    const store = storeOf(t, protocol);
    const tx = await connect(t, store, 'tx');
    for (const n of [1, 2, 3]) {
      const rx = await connect(t, store, 'rx');
      await deliverAll(tx, 'rx', outgoing('tx', 'rx', n));
      assert.deepEqual(contents(await rx.receive(everything)), [n]);
      await rx.disconnect();
    }
    await assert.rejects(async () => deliverAll(tx, 'rx', outgoing('tx', 'rx', 'late')), { code: 'IPCM_PEER_GONE' });
    await assert.rejects(async () => deliverAll(tx, 'rx', outgoing('tx', 'rx', 'later')), {
      code: 'IPCM_PEER_UNKNOWN',
    });
  });

  test('a dead peer is gone and reaped', async (t) => {
    const store = storeOf(t, protocol);
    const report = new Report();
    const tx = await connect(t, store, 'tx', { report });
    await connect(t, store, 'dead', { identity: deadIdentity() });
    await assert.rejects(async () => deliverAll(tx, 'dead', outgoing('tx', 'dead', 1)), { code: 'IPCM_PEER_GONE' });
    assert.deepEqual(
      report.dead.map(({ name }) => name),
      ['dead'],
    );
  });

  test('more peers than are kept open can all be waited for', async (t) => {
    const store = storeOf(t, protocol);
    const tx = await connect(t, store, 'tx');
    const names = Array.from({ length: 262 }, (_, n) => `peer-${n}`);
    const peers = await Promise.all(names.map((name) => connectPlainly(t, store, name)));
    const all = Array.from({ length: queueLength + 1 }, (_, n) => n);
    const sends: Promise<void>[] = [];
    for (const name of names) {
      const batch = outgoing('tx', name, ...all);
      const { taken, blocked } = await tx.deliver(name, batch);
      assert.ok(taken === queueLength && blocked !== undefined);
      sends.push(blocked.then(() => deliverAll(tx, name, batch.slice(taken))));
    }
    for (const peer of peers) {
      const got: unknown[] = [];
      while (got.length < all.length) {
        got.push(...contents(await peer.receive(everything)));
        await sleep(0);
      }
      assert.deepEqual(got, all);
    }
    await Promise.all(sends);
  });

  test('names are hashed where the path would be too long, and a route too long for that is an error', async (t) => {
    const root = mkdtempSync('/tmp/ipcm-');
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const make = (length: number) => {
      const route = join(root, 'r'.repeat(length - root.length - 1));
      mkdirSync(route, { mode: 0o700 });
      return protocol.create({ ...options, route, owner: ownIdentity(), guard: true });
    };
    const store = await make(50);
    const name = 'n'.repeat(60);
    const rx = await store.connect({
      name,
      mode: 'connect',
      identity: ownIdentity(),
      acknowledge: false,
      report: new Report(),
    });
    t.after(() => rx.closeSync());
    assert.ok(readdirSync(store.route).some((file) => /^h-[0-9a-f]{40}$/.test(file)));
    const wish = { name, mode: 'connect', identity: ownIdentity(), acknowledge: false, report: new Report() } as const;
    await assert.rejects(async () => (await make(70)).connect(wish), { code: 'IPCM_ROUTE_INVALID' });
  });

  test('a thousand connections one after another leave no descriptor', async (t) => {
    const store = storeOf(t, protocol);
    const tx = await connect(t, store, 'tx');
    const round = async (n: number): Promise<void> => {
      const rx = await connect(t, store, 'rx');
      const stop = rx.watchInbox(() => undefined);
      await deliverAll(tx, 'rx', outgoing('tx', 'rx', n));
      assert.deepEqual(contents(await rx.receive(everything)), [n]);
      stop();
      await rx.disconnect();
    };
    for (let n = 0; n < 10; n++) await round(n);
    const before = descriptorCount();
    for (let n = 0; n < 1000; n++) await round(n);
    await new Promise(setImmediate);
    assert.ok(descriptorCount() <= before + 2, `${before} at first, then ${descriptorCount()}`);
  });
});

test('without the native part it is not viable, and says why', () => {
  const module = JSON.stringify(new URL('../../src/protocols/unix-socket/index.ts', import.meta.url).href);
  const program = `const { protocol } = await import(${module}); console.log(await protocol.unviable());`;
  const env = { ...process.env, IPCM_NO_NATIVE: '1' };
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' });
  assert.match(said, /UnixSocket needs datagram sockets/);
});
