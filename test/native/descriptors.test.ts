import assert from 'node:assert/strict';
import { closeSync, constants, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { systemError } from '../../src/native/native.ts';
import { descriptors, EAGAIN, EBADF, EINVAL, EPERM, EPIPE, folderOf, native, skip, turn } from './scene.ts';

const { O_RDWR, O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

function fifo(context: TestContext): { path: string; reader: number; writer: number } {
  const path = join(folderOf(context), 'fifo');
  native().mkfifo(path, 0o600);
  const reader = openSync(path, O_RDWR | O_NONBLOCK);
  const writer = openSync(path, O_WRONLY | O_NONBLOCK);
  context.after(() => [reader, writer].forEach((fd) => closeSync(fd)));
  return { path, reader, writer };
}

suite('pipes and descriptors', { skip }, () => {
  test('mkfifo makes a FIFO with the mode less the umask, and throws as Node does', (context) => {
    const path = join(folderOf(context), 'fifo');
    const umask = process.umask(0o027);
    native().mkfifo(path, 0o777);
    process.umask(umask);
    const stat = statSync(path);
    assert.ok(stat.isFIFO());
    assert.equal(stat.mode & 0o777, 0o750);
    assert.throws(() => native().mkfifo(path, 0o600), {
      name: 'Error',
      code: 'EEXIST',
      errno: -17,
      syscall: 'mkfifo',
      path,
      message: `EEXIST: file already exists, mkfifo '${path}'`,
    });
    assert.throws(() => native().mkfifo('x'.repeat(10_000), 0o600), { code: 'ENAMETOOLONG' });
    assert.throws(() => native().mkfifo(`${path}\0other`, 0o600), TypeError);
    assert.throws(() => native().mkfifo('', 0o600), TypeError);
    assert.throws(() => native().mkfifo(path, 0o10000), RangeError);
  });

  test('read and write move the range that was asked for', (context) => {
    const { reader, writer } = fifo(context);
    const sent = Buffer.from('..hello..');
    assert.equal(native().write(writer, sent, 2, 5), 5);
    const received = Buffer.alloc(10, '-');
    assert.equal(native().read(reader, received, 3, 7), 5);
    assert.equal(received.toString(), '---hello--');
    assert.equal(native().read(reader, received, 0, 0), 0);
    // A view into a larger buffer counts from its own start.
    assert.equal(native().write(writer, new Uint8Array(sent.buffer, sent.byteOffset + 2, 5), 1, 4), 4);
    assert.equal(native().read(reader, received, 0, 10), 4);
    assert.equal(received.toString('utf8', 0, 4), 'ello');
  });

  test('an empty and a full pipe answer -EAGAIN, at most PIPE_BUF goes whole or not at all', (context) => {
    const { reader, writer } = fifo(context);
    const chunk = Buffer.alloc(4096);
    assert.equal(native().read(reader, chunk, 0, 10), -EAGAIN);
    let written = 0;
    for (let result = 0; (result = native().write(writer, chunk, 0, 4000)) > 0; written += result)
      assert.equal(result, 4000);
    assert.equal(native().write(writer, chunk, 0, 4000), -EAGAIN);
    assert.ok(written >= 4000);
  });

  test('reader gone: -EPIPE; bad descriptor: -EBADF; end of file: 0', (context) => {
    const path = join(folderOf(context), 'fifo');
    native().mkfifo(path, 0o600);
    const reader = openSync(path, O_RDONLY | O_NONBLOCK);
    const writer = openSync(path, O_WRONLY | O_NONBLOCK);
    closeSync(writer);
    assert.equal(native().read(reader, Buffer.alloc(1), 0, 1), 0);
    const again = openSync(path, O_WRONLY | O_NONBLOCK);
    closeSync(reader);
    assert.equal(native().write(again, Buffer.alloc(1), 0, 1), -EPIPE);
    closeSync(again);
    assert.equal(native().write(again, Buffer.alloc(1), 0, 1), -EBADF);
    assert.equal(native().read(again, Buffer.alloc(1), 0, 1), -EBADF);
  });

  test('pipe sizes', (context) => {
    const { reader, writer } = fifo(context);
    assert.equal(native().pipeSize(reader), 65_536);
    assert.equal(native().setPipeSize(writer, 200_000), 262_144);
    assert.equal(native().pipeSize(reader), 262_144);
    assert.equal(native().pipeSize(999_999), -EBADF);
    const file = openSync('/dev/null', O_RDONLY);
    assert.equal(native().setPipeSize(file, 4096), -EBADF);
    closeSync(file);
    const refused = native().setPipeSize(writer, 2 ** 31 - 1);
    assert.ok(refused === -EPERM || refused === -EINVAL, `${refused}`);
    assert.equal(native().pipeSize(reader), 262_144);
  });

  test('a pipe takes whole pages of a write that it has no room for', (context) => {
    assert.equal(native().pipeTakesPages(), true);
    const { reader, writer } = fifo(context);
    const pages = Buffer.alloc(7 * 4096);
    const taken: number[] = [];
    // From the empty pipe, and from one that is read at odd places.
    for (let length = native().write(writer, pages, 0, pages.length); length > 0;) {
      taken.push(length);
      length = native().write(writer, pages, 0, pages.length);
    }
    assert.equal(native().write(writer, pages, 0, pages.length), -EAGAIN);
    for (const read of [100, 4096, 9000, 1, 20_000]) {
      assert.equal(native().read(reader, Buffer.alloc(read), 0, read), read);
      const length = native().write(writer, pages, 0, pages.length);
      if (length !== -EAGAIN) taken.push(length);
    }
    assert.deepEqual(
      taken.filter((length) => length % 4096 !== 0),
      [],
    );
    assert.ok(taken.some((length) => length < pages.length));
  });

  test('wrong arguments throw and name the argument', (context) => {
    const { writer } = fifo(context);
    const buffer = new Uint8Array(8);
    const wrong = native() as unknown as Record<'read' | 'write', (...args: unknown[]) => number>;
    assert.throws(() => wrong.write(), { name: 'TypeError', message: /^fd must be a number/ });
    for (const fd of [NaN, -1, 1.5, 2 ** 31, Infinity]) assert.throws(() => wrong.write(fd, buffer, 0, 1), RangeError);
    for (const bad of [
      'text',
      undefined,
      null,
      {},
      new ArrayBuffer(8),
      new Uint16Array(4),
      new DataView(new ArrayBuffer(8)),
    ]) {
      assert.throws(() => wrong.write(writer, bad, 0, 1), {
        name: 'TypeError',
        message: /^buffer must be a Uint8Array/,
      });
    }
    for (const [offset, length] of [
      [0, 9],
      [8, 1],
      [9, 0],
      [-1, 1],
      [0, -1],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ]) {
      assert.throws(() => wrong.write(writer, buffer, offset, length), RangeError, `${offset} ${length}`);
      assert.throws(() => wrong.read(writer, buffer, offset, length), RangeError, `${offset} ${length}`);
    }
    const moved = new Uint8Array(8);
    structuredClone(moved, { transfer: [moved.buffer] });
    assert.throws(() => wrong.write(writer, moved, 0, 1), RangeError);
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    assert.equal(wrong.write(writer, shared, 0, 8), 8);
  });

  test('spin answers at once when there is something, and after the time when not', (context) => {
    const { reader, writer } = fifo(context);
    const start = process.hrtime.bigint();
    assert.equal(native().spin(reader, 2000), false);
    assert.ok(process.hrtime.bigint() - start >= 2_000_000n);
    assert.equal(native().spin(reader, 0), false);
    native().write(writer, Buffer.from('x'), 0, 1);
    assert.equal(native().spin(reader, 0), true);
    assert.equal(native().spin(999_999, 0), true, 'an error is for the next read to tell');
    assert.throws(() => native().spin(reader, 100_001), RangeError);
  });

  test('spin on the loop sees what the loop watches', async (context) => {
    const { reader, writer } = fifo(context);
    const poller = new (native().Poller)(reader);
    const woken = new Promise<number>((resolve) => poller.start(1, resolve));
    // libuv registers a new descriptor when it next waits.
    await turn();
    assert.equal(native().spin(native().loopDescriptor(), 0), false);
    native().write(writer, Buffer.from('x'), 0, 1);
    assert.equal(native().spin(native().loopDescriptor(), 0), true);
    assert.equal(await woken, 1);
    poller.close();
  });

  test('close and release take only what the addon made, once', (context) => {
    const path = join(folderOf(context), 'socket');
    const before = descriptors().size;
    const fd = native().bindDatagram(path, 0o600);
    native().close(fd);
    assert.equal(descriptors().size, before);
    const notOurs = { code: 'EBADF', syscall: 'close' };
    assert.throws(() => native().close(fd), notOurs);
    assert.throws(() => native().close(0), notOurs);
    assert.throws(() => native().close(2 ** 31 - 1), notOurs);
    const given = native().bindDatagram(`${path}2`, 0o600);
    native().release(given);
    assert.throws(() => native().close(given), notOurs);
    assert.throws(() => native().release(given), { code: 'EBADF', syscall: 'release' });
    assert.ok(descriptors().has(given), 'released, not closed');
    closeSync(given);
  });

  test('systemError has the fields of a system error', () => {
    const error = systemError(-EAGAIN, 'write', '/some/where');
    const { code, errno, syscall, path, message } = error;
    assert.deepEqual(
      { code, errno, syscall, path, message },
      { code: 'EAGAIN', errno: -EAGAIN, syscall: 'write', path: '/some/where', message: "EAGAIN: write '/some/where'" },
    );
    assert.equal('path' in systemError(-EPIPE, 'write'), false);
  });
});
