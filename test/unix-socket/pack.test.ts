// Several messages in a datagram: for whom, how many, and that nothing is taken for what it is not.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { Message } from '../../src/message/message.ts';
import { loadNative, nativeUnavailable } from '../../src/native/native.ts';
import type { Incoming, Outgoing } from '../../src/protocol/protocol.ts';
import { headSize } from '../../src/protocols/directory/framing.ts';
import { formatPid } from '../../src/protocols/directory/pid-file.ts';
import { protocol } from '../../src/protocols/unix-socket/index.ts';
import { mostPacked, Packer, unpack } from '../../src/protocols/unix-socket/pack.ts';
import { largestDatagram, mostAtOnce, queueLength } from '../../src/protocols/unix-socket/sizes.ts';
import { deliverAll, storeOf } from '../fixtures/atomic-pipe-bus.ts';
import { connect, contents, everything, folder, options, outgoing, Report } from '../fixtures/directory-bus.ts';

const skip = nativeUnavailable() ?? false;

function carrying(bytes: Uint8Array): Outgoing {
  return { message: new Message({ from: 'tx', to: 'rx', content: null }), bytes };
}

/** The same messages behind each other in one piece of memory, with room before each. */
function inOnePiece(all: readonly Uint8Array[]): Outgoing[] {
  const buffer = Buffer.alloc(all.reduce((sum, { length }) => sum + headSize + length, 0));
  let at = 0;
  return all.map((bytes) => {
    at += headSize;
    buffer.set(bytes, at);
    const place = { buffer, at, size: bytes.length };
    at += bytes.length;
    return { ...carrying(bytes), place };
  });
}

function unpacked(datagram: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  unpack(datagram, (message) => messages.push(message));
  return messages;
}

/** All datagrams of a batch. */
function packed(batch: readonly Outgoing[]): Uint8Array[] {
  const packer = new Packer();
  const datagrams: Uint8Array[] = [];
  for (let at = 0; at < batch.length; at = packer.ends.at(-1) ?? assert.fail('nothing was packed')) {
    const some = packer.pack(batch, at, mostAtOnce);
    assert.ok(some.length > 0 && some.length <= mostAtOnce && some.length === packer.ends.length);
    // What they lie in is used again.
    datagrams.push(...some.map((datagram) => Uint8Array.from(datagram)));
  }
  return datagrams;
}

const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Uint8Array.of(0, 0, 0, ...bytes)),
  fc
    .integer({ min: Math.floor(mostPacked / 3), max: mostPacked * 2 })
    .map((length) => new Uint8Array(length).fill(0x5b)),
);

/** The datagrams that lie at a socket. */
function received(fd: number): Uint8Array[] {
  const native = loadNative() ?? assert.fail('the native part is there');
  const lengths = new Int32Array(queueLength);
  const arena = new Uint8Array(queueLength * largestDatagram);
  const count = native.receiveBatch(fd, arena, largestDatagram, lengths);
  return Array.from({ length: Math.max(0, count) }, (_, n) => {
    return arena.slice(n * largestDatagram, n * largestDatagram + (lengths[n] ?? 0));
  });
}

/** A socket at a client's place that says of itself what it likes. */
function socketOf(t: TestContext, route: string, packs: boolean, name = 'raw'): number {
  const native = loadNative() ?? assert.fail('the native part is there');
  const fd = native.bindDatagram(`${route}/${name}`, 0o600);
  t.after(() => native.close(fd));
  writeFileSync(`${route}/${name}.pid`, formatPid({ identity: ownIdentity(), acknowledge: false, packs }));
  return fd;
}

function bytesOf(incoming: readonly Incoming[]): Uint8Array[] {
  return incoming.map((one) => ('bytes' in one ? one.bytes.slice() : assert.fail('not serialized')));
}

test('what is packed is unpacked as it was, however it begins and wherever it lay', () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { minLength: 1, maxLength: 60 }), (all) => {
      for (const batch of [all.map(carrying), inOnePiece(all)]) {
        const datagrams = packed(batch);
        assert.deepEqual(datagrams.flatMap(unpacked), all);
        for (const datagram of datagrams) {
          assert.ok(datagram.length <= mostPacked || unpacked(datagram).length === 1, `${datagram.length} bytes`);
        }
      }
    }),
  );
});

test('a message alone is a datagram as it is', () => {
  const [datagram] = packed([carrying(Buffer.from('{"id":1}'))]);
  assert.deepEqual(datagram, Uint8Array.from(Buffer.from('{"id":1}')));
});

test('what is no pack is a message, whatever it begins with', () => {
  for (const bytes of [[], [0], [0, 0, 0, 0], [0, 0, 0, 2, 1], [0, 0, 0, 1, 1, 9], [0, 0, 0, 1, 1, 0, 0, 0, 0], [7]]) {
    assert.deepEqual(unpacked(Uint8Array.from(bytes)), [Uint8Array.from(bytes)], String(bytes));
  }
});

suite('packs of UnixSocket', { skip }, () => {
  test('what waits for a peer that says it reads them goes in few datagrams', async (t) => {
    const store = storeOf(t, protocol);
    const tx = await connect(t, store, 'tx');
    const fd = socketOf(t, store.route, true);
    const batch = outgoing('tx', 'raw', ...Array.from({ length: 300 }, (_, n) => n));
    assert.deepEqual(await tx.deliver('raw', batch), { taken: 300 });
    const datagrams = received(fd);
    assert.ok(datagrams.length <= 3, `${datagrams.length} datagrams`);
    assert.deepEqual(
      datagrams.flatMap(unpacked),
      batch.map(({ bytes }) => Uint8Array.from(bytes)),
    );
  });

  test('a peer that does not say so gets a datagram for each', async (t) => {
    const store = storeOf(t, protocol);
    const tx = await connect(t, store, 'tx');
    const fd = socketOf(t, store.route, false);
    const batch = outgoing('tx', 'raw', ...Array.from({ length: queueLength }, (_, n) => n));
    assert.equal((await tx.deliver('raw', batch)).taken, queueLength);
    assert.deepEqual(
      received(fd),
      batch.map(({ bytes }) => Uint8Array.from(bytes)),
    );
  });

  test('one who comes after a client of ours, under its name, is asked anew', async (t) => {
    const store = storeOf(t, protocol);
    const [rx, tx] = [await connect(t, store, 'rx'), await connect(t, store, 'tx')];
    await deliverAll(tx, 'rx', outgoing('tx', 'rx', 1, 2));
    assert.deepEqual(contents(await rx.receive(everything)), [1, 2]);
    await rx.disconnect();
    const fd = socketOf(t, store.route, false, 'rx');
    const batch = outgoing('tx', 'rx', 3, 4, 5);
    await deliverAll(tx, 'rx', batch);
    assert.deepEqual(
      received(fd),
      batch.map(({ bytes }) => Uint8Array.from(bytes)),
    );
  });

  test('clients of ours read them, and what begins like one arrives as it was', async (t) => {
    const store = storeOf(t, protocol);
    const [rx, tx] = [await connect(t, store, 'rx'), await connect(t, store, 'tx')];
    const odd = [Uint8Array.of(0, 0, 0, 1, 7), Uint8Array.of(0), new Uint8Array(mostPacked * 2), Uint8Array.of(7)];
    await deliverAll(tx, 'rx', odd.map(carrying));
    assert.deepEqual(bytesOf(await rx.receive(everything)), odd);
    for (const bytes of odd) {
      await deliverAll(tx, 'rx', [carrying(bytes)]);
      assert.deepEqual(bytesOf(await rx.receive(everything)), [bytes]);
    }
  });

  test('a message in a pack that is over the limit is told, and what is around it is read', async (t) => {
    const route = `${folder(t, '/dev/shm')}/route`;
    const limits = { maxMessageBytes: 300 };
    const store = await protocol.create({ ...options, limits, route, owner: ownIdentity(), guard: true });
    const report = new Report();
    const wish = { mode: 'connect', identity: ownIdentity(), acknowledge: false } as const;
    const rx = await store.connect({ ...wish, name: 'rx', report });
    const tx = await store.connect({ ...wish, name: 'tx', report: new Report() });
    t.after(() => [rx, tx].forEach((each) => each.closeSync()));
    await deliverAll(tx, 'rx', outgoing('tx', 'rx', 1, 'x'.repeat(300), 2, ...Array.from({ length: 50 }, (_, n) => n)));
    assert.deepEqual(contents(await rx.receive(everything)), [1, 2, ...Array.from({ length: 50 }, (_, n) => n)]);
    assert.deepEqual(
      report.errors.map(({ code, client }) => [code, client]),
      [['IPCM_MESSAGE_TOO_LARGE', 'rx']],
    );
  });

  test('a queue full of packs makes the sender wait, and nothing is lost', async (t) => {
    const store = storeOf(t, protocol);
    const [rx, tx] = [await connect(t, store, 'rx'), await connect(t, store, 'tx')];
    const batch = outgoing('tx', 'rx', ...Array.from({ length: 20_000 }, (_, n) => n));
    const { taken, blocked } = await tx.deliver('rx', batch);
    assert.ok(taken < batch.length && blocked !== undefined);
    const rest = deliverAll(tx, 'rx', batch.slice(taken));
    const got: unknown[] = [];
    while (got.length < batch.length) {
      got.push(...contents(await rx.receive(everything)));
      await new Promise(setImmediate);
    }
    await rest;
    assert.deepEqual(
      got,
      batch.map(({ message }) => message.content),
    );
  });
});
