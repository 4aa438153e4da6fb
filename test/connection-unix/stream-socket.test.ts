/** The sockets below a channel, by their descriptor and Node's: both keep the same promises. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { loadNative, nativeUnavailable, type Native } from '../../src/native/native.ts';
import { NativeSocket } from '../../src/protocols/connection-unix/native-socket.ts';
import { NodeSocket } from '../../src/protocols/connection-unix/node-socket.ts';
import type { StreamOwner, StreamSocket } from '../../src/protocols/connection-unix/stream-socket.ts';
import { descriptors } from '../../src/testing/leaks.ts';
import { folder } from '../fixtures/directory-bus.ts';
import { until } from '../fixtures/connection-unix-bus.ts';

function native(): Native {
  const loaded = loadNative();
  assert.ok(loaded, nativeUnavailable());
  return loaded;
}

const kinds = [
  {
    name: 'by the descriptor',
    skip: nativeUnavailable() ?? false,
    connect: (path: string) => NativeSocket.connect(native(), path),
  },
  { name: "of Node's", skip: false, connect: (path: string) => NodeSocket.connect(path) },
] as const;

/** What a socket has told. */
class Owner implements StreamOwner {
  readonly told: string[] = [];
  bytes = Buffer.alloc(0);
  /** Called with each piece. */
  onData: () => void = () => undefined;
  onEnded: () => void = () => undefined;

  data(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    if (this.told.at(-1) !== 'data') this.told.push('data');
    this.onData();
  }

  ended(): void {
    this.told.push('ended');
    this.onEnded();
  }

  closed(): void {
    this.told.push('closed');
  }

  resumed(): void {
    // Of interest to whoever asks for what is there.
  }

  async isClosed(): Promise<void> {
    await until('it is closed', () => this.told.includes('closed'));
    // Nothing is told after that.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Pair {
  readonly socket: StreamSocket;
  readonly owner: Owner;
  /** The other end, of which nothing is read yet. */
  readonly peer: Socket;
}

/** Where sockets listen that hand out their connections one by one. */
async function listening(t: TestContext): Promise<{ path: string; accepted: () => Promise<Socket> }> {
  const path = join(folder(t), 'socket');
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const all: Socket[] = [];
  server.on('connection', (peer) => {
    all.push(peer);
    t.after(() => peer.destroy());
  });
  await once(server.listen(path), 'listening');
  t.after(() => server.close());
  return {
    path,
    async accepted() {
      await until('it is accepted', () => all.length > 0);
      const [peer] = all.splice(0, 1);
      assert.ok(peer);
      peer.on('error', () => undefined);
      return peer;
    },
  };
}

/** Collects what comes to the other end. */
function reading(peer: Socket): { bytes: () => Buffer; ended: () => boolean } {
  const chunks: Buffer[] = [];
  let isEnded = false;
  peer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => (isEnded = true));
  peer.resume();
  return { bytes: () => Buffer.concat(chunks), ended: () => isEnded };
}

/** More than a socket holds, each byte by its place. */
const large = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => at % 251));
const text = (...parts: string[]): Buffer[] => parts.map((part) => Buffer.from(part));

for (const { name, skip, connect } of kinds) {
  suite(`a stream socket ${name}`, { skip }, () => {
    async function pair(t: TestContext): Promise<Pair> {
      const { path, accepted } = await listening(t);
      const owner = new Owner();
      const socket = await connect(path);
      t.after(() => socket.destroy());
      socket.start(owner);
      return { socket, owner, peer: await accepted() };
    }

    test('what the kernel does not take at once is written bit by bit, in order, with what is written meanwhile', async (t) => {
      const { socket, peer } = await pair(t);
      assert.equal(socket.write(text('be', 'gin')), true);
      const written = socket.write([large, ...text('mid'), large]);
      const more = socket.write(text('more'));
      assert.ok(written instanceof Promise && more instanceof Promise);
      const { bytes, ended } = reading(peer);
      assert.deepEqual(await Promise.all([written, more]), [true, true]);
      assert.equal(socket.write(text('end')), true);
      socket.end();
      assert.equal(socket.writable, false);
      await until('all has come', ended);
      assert.ok(bytes().equals(Buffer.concat([...text('begin'), large, ...text('mid'), large, ...text('moreend')])));
    });

    test('it ends its half once all is written, and reads on until the peer has ended its own', async (t) => {
      const before = descriptors().length;
      const { socket, owner, peer } = await pair(t);
      const written = socket.write([large]);
      socket.end();
      assert.equal(socket.write(text('late')), false);
      peer.write('first');
      await until('it is read', () => owner.bytes.length > 0);
      const { bytes, ended } = reading(peer);
      await until('its end has come', ended);
      assert.equal(await written, true);
      assert.ok(bytes().equals(large));
      peer.end('second');
      await owner.isClosed();
      assert.equal(owner.bytes.toString(), 'firstsecond');
      assert.deepEqual(owner.told, ['data', 'ended', 'closed']);
      assert.equal(socket.fd, undefined);
      await until('nothing is left', () => descriptors().length <= before + 1);
    });

    test('the end of the peer ends it as well, once all is written', async (t) => {
      const { socket, owner, peer } = await pair(t);
      const written = socket.write([large]);
      peer.end('last words');
      await until('it has come', () => owner.told.includes('ended'));
      assert.deepEqual(owner.told, ['data', 'ended']);
      const { bytes, ended } = reading(peer);
      await until('its end has come', ended);
      assert.equal(await written, true);
      assert.ok(bytes().equals(large));
      await owner.isClosed();
      assert.equal(owner.bytes.toString(), 'last words');
    });

    test('nothing that came before it was started is missed', async (t) => {
      const { path, accepted } = await listening(t);
      const socket = await connect(path);
      (await accepted()).end('early');
      await new Promise((resolve) => setTimeout(resolve, 20));
      const owner = new Owner();
      socket.start(owner);
      assert.deepEqual(owner.told, []);
      await owner.isClosed();
      assert.deepEqual([owner.bytes.toString(), ...owner.told], ['early', 'data', 'ended', 'closed']);
    });

    test('a write into a peer that has gone takes nothing, and then what it had sent is read', async (t) => {
      const { socket, owner, peer } = await pair(t);
      assert.equal(socket.write(text('never read')), true);
      socket.pause();
      await new Promise<void>((resolve) => void peer.write('last words', () => resolve()));
      peer.destroy();
      await once(peer, 'close');
      assert.equal(socket.write(text('a', 'b')), false);
      assert.equal(socket.writable, false);
      assert.equal(socket.write(text('c')), false);
      assert.deepEqual(owner.told, [], 'not within the call');
      await owner.isClosed();
      assert.deepEqual([owner.bytes.toString(), ...owner.told], ['last words', 'data', 'ended', 'closed']);
    });

    test('a peer that is killed while it is written to ends that, and what it had sent is read', async (t) => {
      const { path } = await listening(t);
      const program = `
        require('node:net').createServer((socket) => {
          socket.pause();
          socket.write('last words', () => process.send('written'));
        }).listen(process.argv[1], () => process.send('listens'));`;
      const child = spawn(process.execPath, ['-e', program, `${path}-child`], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      t.after(() => child.kill('SIGKILL'));
      await once(child, 'message');
      const owner = new Owner();
      const socket = await connect(`${path}-child`);
      socket.start(owner);
      socket.pause();
      const written = socket.write([large]);
      await once(child, 'message');
      child.kill('SIGKILL');
      assert.equal(await written, false);
      await owner.isClosed();
      assert.deepEqual([owner.bytes.toString(), ...owner.told], ['last words', 'data', 'ended', 'closed']);
    });

    test('one that is paused reads nothing, and what came is read when it goes on', async (t) => {
      const { socket, owner, peer } = await pair(t);
      owner.onData = () => socket.pause();
      peer.write('a');
      await until('the first has come', () => owner.bytes.length > 0);
      peer.end('b');
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(owner.told, ['data']);
      owner.onData = () => undefined;
      socket.resume();
      await owner.isClosed();
      assert.deepEqual([owner.bytes.toString(), ...owner.told], ['ab', 'data', 'ended', 'closed']);
    });

    for (const call of ['destroy', 'cut'] as const) {
      test(`${call} within what it tells is safe, and closes once`, async (t) => {
        const before = descriptors().length;
        for (const when of ['onData', 'onEnded'] as const) {
          const { socket, owner, peer } = await pair(t);
          const written = socket.write([large]);
          owner[when] = () => {
            socket[call]();
            assert.equal(owner.told.includes('closed'), false);
            socket[call]();
            assert.equal(socket.write(text('late')), false);
            socket.pause();
            socket.resume();
            socket.end();
          };
          peer.end('x'.repeat(300_000));
          await owner.isClosed();
          assert.equal(await written, false);
          assert.equal(owner.told.filter((word) => word === 'closed').length, 1);
          assert.equal(owner.told.at(-1), 'closed');
          if (when === 'onEnded') assert.equal(owner.bytes.length, 300_000);
          peer.destroy();
        }
        await until('nothing is left', () => descriptors().length <= before + 2);
      });
    }

    test('destroy tells of nothing but that it is closed', async (t) => {
      const { socket, owner, peer } = await pair(t);
      socket.pause();
      await new Promise<void>((resolve) => void peer.write('unread', () => resolve()));
      socket.destroy();
      assert.deepEqual(owner.told, []);
      await owner.isClosed();
      assert.deepEqual(owner.told, ['closed']);
    });

    test('cut reads what is there first, also where it ends its half over it', async (t) => {
      const { socket, owner, peer } = await pair(t);
      socket.pause();
      let written = 0;
      peer.write(large.subarray(0, 150_000), () => (written = 150_000));
      await until('it is with the kernel', () => written > 0);
      owner.onData = () => socket.end();
      socket.cut();
      assert.deepEqual(owner.told, ['data', 'ended']);
      assert.ok(owner.bytes.equals(large.subarray(0, 150_000)));
      await owner.isClosed();
    });

    test('it keeps its process alive while something waits to be written, and only then', async (t) => {
      const { path, accepted } = await listening(t);
      const source = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);
      const program = `
        const { loadNative } = await import(${source('native/native.ts')});
        const { NativeSocket } = await import(${source('protocols/connection-unix/native-socket.ts')});
        const { NodeSocket } = await import(${source('protocols/connection-unix/node-socket.ts')});
        const native = process.env.KIND === 'node' ? undefined : loadNative();
        const socket = native === undefined ? await NodeSocket.connect(process.argv[1]) : NativeSocket.connect(native, process.argv[1]);
        socket.start({ data() {}, ended() {}, closed() {}, resumed() {} });
        if (process.argv[2] > 0) socket.write([Buffer.alloc(Number(process.argv[2]))]).then(() => console.log('written'));`;
      for (const size of [0, large.length]) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program, path, `${size}`], {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: { ...process.env, KIND: name === "of Node's" ? 'node' : 'native' },
        });
        t.after(() => child.kill('SIGKILL'));
        let said = '';
        child.stdout.setEncoding('utf8').on('data', (some: string) => (said += some));
        const exited = once(child, 'close') as Promise<[number]>;
        const peer = await accepted();
        if (size > 0) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          assert.equal(child.exitCode, null);
        }
        const { bytes } = reading(peer);
        assert.deepEqual([await exited, said], [[0, null], size > 0 ? 'written\n' : '']);
        await until('all has come', () => bytes().length === size);
      }
    });
  });
}

suite('a stream socket by the descriptor alone', { skip: nativeUnavailable() ?? false }, () => {
  test('one that cannot be watched is not connected, and leaves no descriptor', async (t) => {
    const { path } = await listening(t);
    const before = descriptors().length;
    const starved: Native = {
      ...native(),
      Poller: class {
        constructor() {
          throw Object.assign(new Error('EMFILE: too many open files, dup'), { code: 'EMFILE' });
        }
      } as unknown as Native['Poller'],
    };
    assert.throws(() => NativeSocket.connect(starved, path), { code: 'EMFILE' });
    await until('nothing is left', () => descriptors().length <= before);
  });

  test('what is there can be read past the event loop, and its end as well', async (t) => {
    const { path, accepted } = await listening(t);
    const owner = new Owner();
    const socket = NativeSocket.connect(native(), path);
    socket.start(owner);
    const peer = await accepted();
    assert.equal(socket.readNow(), false);
    peer.write('now');
    assert.equal(socket.readNow(), true);
    assert.deepEqual([owner.bytes.toString(), ...owner.told], ['now', 'data']);
    peer.end();
    await until('its end has come', () => (socket.readNow(), owner.told.includes('ended')));
    await owner.isClosed();
    assert.equal(socket.readNow(), false);
  });
});
