import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { datagramOverhead, readable, writable } from '../../src/native/native.ts';
import {
  descriptors,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EMSGSIZE,
  ENOTSOCK,
  EPIPE,
  folderOf,
  native,
  skip,
  turn,
} from './scene.ts';

const text = (messages: string[]): Buffer[] => messages.map((message) => Buffer.from(message));

/** Receives once; each datagram as text, with what did not fit cut off. */
function receive(fd: number, slot = 1000, room = 64): string[] {
  const arena = Buffer.alloc(slot * room);
  const lengths = new Int32Array(room);
  const count = native().receiveBatch(fd, arena, slot, lengths);
  assert.ok(count > 0, `${count}`);
  const view = (at: number): string => arena.toString('utf8', at * slot, at * slot + Math.min(slot, lengths[at] ?? 0));
  return Array.from({ length: count }, (_, at) => view(at));
}

function pair(context: TestContext): { path: string; receiver: number; sender: number } {
  const path = join(folderOf(context), 'socket');
  const receiver = native().bindDatagram(path, 0o600);
  const sender = native().connectDatagram(path);
  return { path, receiver, sender };
}

function closeAll(...fds: number[]): void {
  for (const fd of fds) native().close(fd);
}

/** How many datagrams a receiver's queue takes. */
const queue = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8')) + 1;

suite('datagram sockets', { skip }, () => {
  test('the file is private from its creation, whatever the umask leaves', (context) => {
    const folder = folderOf(context);
    for (const [umask, mode, expected] of [
      [0, 0o600, 0o600],
      [0, 0o777, 0o777],
      [0o022, 0o700, 0o700],
      [0o077, 0o777, 0o700],
    ] as const) {
      const path = join(folder, `${umask}-${mode}`);
      const before = process.umask(umask);
      closeAll(native().bindDatagram(path, mode), native().listenStream(`${path}s`, mode, 1));
      process.umask(before);
      assert.ok(statSync(path).isSocket());
      assert.equal(statSync(path).mode & 0o777, expected);
      assert.equal(statSync(`${path}s`).mode & 0o777, expected);
    }
  });

  test('who receives no more refuses what is sent, and keeps what has come', (context) => {
    const { receiver, sender } = pair(context);
    assert.equal(native().sendBatch(sender, text(['one', 'two']), 0), 2);
    assert.equal(native().shutReceiving(receiver), 0);
    assert.equal(native().sendBatch(sender, text(['three']), 0), -EPIPE);
    assert.deepEqual(receive(receiver), ['one', 'two']);
    assert.equal(native().receiveBatch(receiver, Buffer.alloc(10), 10, new Int32Array(1)), -EAGAIN);
    closeAll(receiver, sender);
    assert.equal(native().shutReceiving(receiver), -EBADF);
  });

  test('a batch goes out in order and comes in by slots', (context) => {
    const { receiver, sender } = pair(context);
    const arena = Buffer.alloc(64);
    const lengths = new Int32Array(4);
    assert.equal(native().receiveBatch(receiver, arena, 16, lengths), -EAGAIN);
    assert.equal(native().sendBatch(sender, text(['zero', 'one', '', 'three', 'four', 'five']), 1), 5);
    assert.equal(native().receiveBatch(receiver, arena, 16, lengths), 4);
    assert.deepEqual([...lengths], [3, 0, 5, 4]);
    assert.equal(arena.toString('utf8', 32, 37), 'three');
    assert.deepEqual(receive(receiver), ['five']);
    assert.equal(native().sendBatch(sender, [], 0), 0);
    assert.equal(native().sendBatch(sender, text(['x']), 1), 0);
    closeAll(receiver, sender);
  });

  test('a datagram larger than its slot shows its true length, and harms no neighbour', (context) => {
    const { receiver, sender } = pair(context);
    native().sendBatch(sender, text(['0123456789', 'abc']), 0);
    const arena = Buffer.alloc(8, '-');
    const lengths = new Int32Array(2);
    assert.equal(native().receiveBatch(receiver, arena, 4, lengths), 2);
    assert.deepEqual([...lengths], [10, 3]);
    assert.equal(arena.toString(), '0123abc-');
    closeAll(receiver, sender);
  });

  test('a full queue takes part of a batch, then answers -EAGAIN, and its sender is woken at once', async (context) => {
    const { receiver, sender } = pair(context);
    const messages = text(Array.from({ length: queue + 200 }, (_, at) => `message ${at}`));
    assert.equal(native().sendBatch(sender, messages, 0), queue);
    assert.equal(native().sendBatch(sender, messages, queue), -EAGAIN);
    let calls = 0;
    let next = queue;
    const poller = new (native().Poller)(sender);
    const done = new Promise<void>((resolve) =>
      poller.start(writable, (events) => {
        assert.equal(events, writable);
        calls += 1;
        next += Math.max(0, native().sendBatch(sender, messages, next));
        if (next < messages.length) return;
        poller.close();
        resolve();
      }),
    );
    for (let i = 0; i < 20; i++) await turn();
    assert.equal(calls, 0, 'a connected sender is not writable while the queue is full');
    const received: string[] = receive(receiver);
    const reader = new (native().Poller)(receiver);
    const all = new Promise<void>((resolve) =>
      reader.start(readable, () => {
        received.push(...receive(receiver));
        if (received.length === messages.length) resolve();
      }),
    );
    await Promise.all([done, all]);
    reader.close();
    assert.deepEqual(received, messages.map(String));
    closeAll(receiver, sender);
  });

  test('the largest datagram is the send buffer less the overhead', (context) => {
    const { receiver, sender } = pair(context);
    const sizes = [native().sendBufferSize(sender), native().setSendBufferSize(sender, 400_000)];
    assert.equal(sizes[1], 400_000);
    for (const size of [100_000, 400_000]) {
      assert.equal(native().setSendBufferSize(sender, size), size);
      const largest = Buffer.alloc(size - datagramOverhead, 'x');
      assert.equal(native().sendBatch(sender, text(['first']).concat(largest), 0), 2);
      assert.deepEqual(
        receive(receiver, size, 2).map((message) => message.length),
        [5, largest.length],
      );
      assert.equal(native().sendBatch(sender, [Buffer.alloc(largest.length + 1)], 0), -EMSGSIZE);
      assert.equal(native().sendBatch(sender, [Buffer.from('before'), Buffer.alloc(largest.length + 1)], 0), 1);
      assert.deepEqual(receive(receiver), ['before']);
    }
    assert.equal(native().sendBufferSize(999_999), -EBADF);
    closeAll(receiver, sender);
  });

  test('a receiver that closes wakes a waiting sender, who then learns -ECONNREFUSED', async (context) => {
    const { receiver, sender } = pair(context);
    const messages = text(Array.from({ length: queue + 1 }, () => 'x'));
    assert.equal(native().sendBatch(sender, messages, 0), queue);
    const poller = new (native().Poller)(sender);
    const woken = new Promise<void>((resolve) => poller.start(writable, () => resolve()));
    await turn();
    native().close(receiver);
    await woken;
    poller.close();
    assert.equal(native().sendBatch(sender, messages, 0), -ECONNREFUSED);
    native().close(sender);
  });

  test('what cannot be made throws and leaves no descriptor', (context) => {
    const { path, receiver, sender } = pair(context);
    const before = descriptors().size;
    const regular = join(folderOf(context), 'regular');
    closeSync(openSync(regular, 'w'));
    const stream = native().listenStream(`${path}s`, 0o600, 1);
    const long = `/tmp/${'x'.repeat(104)}`;
    assert.equal(Buffer.byteLength(long), 109);
    for (const [code, syscall, call] of [
      ['EADDRINUSE', 'bind', () => native().bindDatagram(path, 0o600)],
      ['EADDRINUSE', 'bind', () => native().listenStream(path, 0o600, 1)],
      ['ENOENT', 'bind', () => native().bindDatagram(`${path}/none/x`.replace('socket/', ''), 0o600)],
      ['ENAMETOOLONG', 'bind', () => native().bindDatagram(long, 0o600)],
      ['ENAMETOOLONG', 'connect', () => native().connectDatagram(long.slice(0, 108))],
      ['ENOENT', 'connect', () => native().connectDatagram(`${path}-none`)],
      ['ECONNREFUSED', 'connect', () => native().connectDatagram(regular)],
      ['EPROTOTYPE', 'connect', () => native().connectDatagram(`${path}s`)],
      ['EBADF', 'getsockopt', () => native().peerCredentials(999_999)],
    ] as const) {
      assert.throws(call, { code, syscall }, `${code} ${syscall}`);
    }
    native().close(stream);
    assert.equal(descriptors().size, before);
    closeAll(receiver, sender);
    rmSync(path);
    assert.throws(() => native().connectDatagram(path), { code: 'ENOENT' });
  });

  test('wrong arguments throw', (context) => {
    const { receiver, sender } = pair(context);
    const wrong = native() as unknown as Record<'sendBatch' | 'receiveBatch', (...args: unknown[]) => number>;
    assert.throws(() => wrong.sendBatch(sender, 'text', 0), {
      name: 'TypeError',
      message: /^messages must be an array/,
    });
    assert.throws(() => wrong.sendBatch(sender, [Buffer.alloc(1), 'text'], 0), TypeError);
    assert.throws(() => wrong.sendBatch(sender, [undefined], 0), TypeError);
    assert.throws(() => wrong.sendBatch(sender, [], -1), RangeError);
    assert.throws(() => wrong.receiveBatch(receiver, Buffer.alloc(8), 4, []), {
      message: /^lengths must be an Int32Array/,
    });
    assert.throws(() => wrong.receiveBatch(receiver, Buffer.alloc(8), 4, new Float64Array(1)), TypeError);
    assert.throws(() => wrong.receiveBatch(receiver, Buffer.alloc(8), 9, new Int32Array(1)), RangeError);
    assert.throws(() => wrong.receiveBatch(receiver, Buffer.alloc(8), 4, new Int32Array(0)), RangeError);
    assert.throws(() => wrong.receiveBatch(receiver, Buffer.alloc(8), 0, new Int32Array(1)), RangeError);
    const noSocket = openSync('/dev/null', 'r');
    assert.equal(wrong.receiveBatch(noSocket, Buffer.alloc(8), 4, new Int32Array(1)), -ENOTSOCK);
    assert.equal(wrong.sendBatch(noSocket, [Buffer.alloc(1)], 0), -ENOTSOCK);
    closeSync(noSocket);
    closeAll(receiver, sender);
  });
});

suite('stream sockets', { skip }, () => {
  test('both halves end one by one, and bytes go both ways until then', (context) => {
    const path = join(folderOf(context), 'listener');
    const listener = native().listenStream(path, 0o600, 8);
    const client = native().connectStream(path);
    const server = native().accept(listener);
    const buffer = Buffer.alloc(10);
    const read = (fd: number): string | number => {
      const length = native().read(fd, buffer, 0, buffer.length);
      return length > 0 ? buffer.toString('utf8', 0, length) : length;
    };
    assert.equal(read(server), -EAGAIN);
    assert.equal(native().write(client, Buffer.from('to'), 0, 2), 2);
    assert.equal(native().shutSending(client), 0);
    assert.equal(native().shutSending(client), 0, 'twice is once');
    assert.equal(native().write(client, Buffer.from('late'), 0, 4), -EPIPE);
    assert.deepEqual([read(server), read(server)], ['to', 0]);
    assert.equal(native().write(server, Buffer.from('fro'), 0, 3), 3);
    assert.deepEqual([read(client), read(client)], ['fro', -EAGAIN]);
    native().close(server);
    assert.equal(read(client), 0);
    closeAll(client, listener);
    assert.equal(native().shutSending(client), -EBADF);
  });

  test('what cannot be connected to throws and leaves no descriptor', (context) => {
    const path = join(folderOf(context), 'listener');
    const listener = native().listenStream(path, 0o600, 1);
    const datagram = native().bindDatagram(`${path}d`, 0o600);
    const regular = `${path}r`;
    closeSync(openSync(regular, 'w'));
    const waiting = [native().connectStream(path), native().connectStream(path)];
    const before = descriptors().size;
    for (const [code, to] of [
      ['EAGAIN', path],
      ['ENOENT', `${path}-none`],
      ['ECONNREFUSED', regular],
      ['EPROTOTYPE', `${path}d`],
      ['ENAMETOOLONG', `/tmp/${'x'.repeat(104)}`],
    ] as const) {
      assert.throws(() => native().connectStream(to), { code, syscall: 'connect', path: to }, code);
    }
    assert.throws(() => native().connectStream(''), TypeError);
    assert.equal(descriptors().size, before);
    closeAll(listener, datagram);
    assert.throws(() => native().connectStream(path), { code: 'ECONNREFUSED' });
    closeAll(...waiting);
  });

  test('a connection is accepted, its user known, and handed to a net.Socket', async (context) => {
    const path = join(folderOf(context), 'listener');
    const before = descriptors().size;
    const listener = native().listenStream(path, 0o600, 8);
    assert.equal(native().accept(listener), -EAGAIN);
    const poller = new (native().Poller)(listener);
    const accepting = new Promise<number>((resolve) =>
      poller.start(readable, () => resolve(native().accept(listener))),
    );
    const client = connect(path);
    const fd = await accepting;
    poller.close();
    assert.deepEqual(native().peerCredentials(fd), {
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    const server = new Socket({ fd, readable: true, writable: true });
    native().release(fd);
    server.pipe(server);
    client.end('hello');
    client.setEncoding('utf8');
    const [answer] = (await once(client, 'data')) as [string];
    assert.equal(answer, 'hello');
    if (!server.destroyed) await once(server, 'close');
    if (!client.destroyed) await once(client, 'close');
    native().close(listener);
    assert.equal(native().accept(listener), -EBADF);
    await turn();
    assert.equal(descriptors().size, before);
  });
});
