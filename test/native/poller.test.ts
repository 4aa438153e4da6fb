import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { readable, writable, type Poller } from '../../src/native/native.ts';
import { descriptors, EBADF, folderOf, native, skip, turn } from './scene.ts';

const { O_RDWR, O_WRONLY, O_RDONLY, O_NONBLOCK } = constants;
const program = join(import.meta.dirname, 'fixtures/polling.ts');

function fifo(context: TestContext): { path: string; fd: number } {
  const path = join(folderOf(context), 'fifo');
  native().mkfifo(path, 0o600);
  const fd = openSync(path, O_RDWR | O_NONBLOCK);
  context.after(() => closeSync(fd));
  return { path, fd };
}

/** Collects garbage until the condition holds; finalizers run in a later turn. */
async function collectUntil(condition: () => boolean): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 100 && !condition(); i++) {
    collect();
    await turn();
  }
  assert.ok(condition(), 'not collected');
}

suite('Poller', { skip }, () => {
  test('calls back while there is something, not after stop, again after start', async (context) => {
    const { fd } = fifo(context);
    const byte = Buffer.from('x');
    const poller = new (native().Poller)(fd);
    let calls = 0;
    native().write(fd, byte, 0, 1);
    await new Promise<void>((resolve) =>
      poller.start(readable, (events) => {
        assert.equal(events, readable);
        if (++calls === 3) resolve();
      }),
    );
    poller.stop();
    poller.stop();
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(calls, 3);
    // Both at once, and a new callback takes the place of the old one.
    poller.start(readable, () => assert.fail('replaced'));
    assert.equal(
      await new Promise<number>((resolve) => poller.start(readable + writable, resolve)),
      readable + writable,
    );
    poller.close();
    poller.close();
    poller.stop();
    assert.equal(poller.ref().unref(), poller);
    assert.throws(() => poller.start(readable, () => undefined), { code: 'EBADF' });
    assert.equal(native().read(fd, byte, 0, 1), 1, 'the descriptor itself stays open');
  });

  test('a writer is woken when there is room, and told of an error when its reader has gone', async (context) => {
    const { path } = fifo(context);
    const reader = openSync(path, O_RDONLY | O_NONBLOCK);
    const writer = openSync(path, O_WRONLY | O_NONBLOCK);
    const chunk = Buffer.alloc(4096);
    while (native().write(writer, chunk, 0, 4096) > 0);
    const poller = new (native().Poller)(writer);
    const room = new Promise<number>((resolve) => poller.start(writable, resolve));
    await turn();
    native().read(reader, chunk, 0, 4096);
    assert.equal(await room, writable);
    poller.close();
    closeSync(reader);
    closeSync(writer);

    const other = `${path}2`;
    native().mkfifo(other, 0o600);
    const lastReader = openSync(other, O_RDONLY | O_NONBLOCK);
    const lonely = openSync(other, O_WRONLY | O_NONBLOCK);
    while (native().write(lonely, chunk, 0, 4096) > 0);
    const second = new (native().Poller)(lonely);
    const gone = new Promise<number>((resolve) => second.start(writable, resolve));
    await turn();
    closeSync(lastReader);
    assert.equal(await gone, -EBADF);
    assert.equal(await new Promise<number>((resolve) => second.start(writable, resolve)), -EBADF);
    second.close();
    closeSync(lonely);
  });

  test('several pollers may watch one descriptor, and outlive its number', async (context) => {
    const { fd } = fifo(context);
    const twin = openSync(`/proc/self/fd/${fd}`, O_RDWR | O_NONBLOCK);
    const pollers = [1, 2, 3].map(() => new (native().Poller)(twin));
    const woken = pollers.map((poller) => new Promise((resolve) => poller.start(readable, resolve)));
    closeSync(twin);
    native().write(fd, Buffer.from('x'), 0, 1);
    assert.deepEqual(await Promise.all(woken), [readable, readable, readable]);
    pollers.forEach((poller) => poller.close());
  });

  test('wrong use throws', (context) => {
    const { fd } = fifo(context);
    const { Poller } = native();
    const before = descriptors().size;
    assert.throws(() => (Poller as unknown as (fd: number) => void)(fd), { name: 'TypeError', message: /with new/ });
    assert.throws(() => new (Poller as unknown as new () => Poller)(), TypeError);
    assert.throws(() => new Poller(999_999), { code: 'EBADF', syscall: 'dup' });
    const regular = openSync(program, O_RDONLY);
    assert.throws(() => new Poller(regular), { code: 'EPERM' });
    closeSync(regular);
    const poller = new Poller(fd);
    assert.throws(() => poller.start(0, () => undefined), RangeError);
    assert.throws(() => poller.start(4, () => undefined), RangeError);
    assert.throws(() => poller.start(1, 'no' as unknown as () => void), { message: /^callback must be a function/ });
    const { close } = poller as unknown as { close: (this: object) => void };
    const unopened = Object.create(Poller.prototype as object) as object;
    for (const other of [{}, unopened, process]) assert.throws(() => close.call(other), TypeError);
    poller.close();
    assert.equal(descriptors().size, before);
  });

  test('promise jobs run after each callback, outside any async context', async (context) => {
    const { fd } = fifo(context);
    const storage = new AsyncLocalStorage<string>();
    const poller = new (native().Poller)(fd);
    const order: string[] = [];
    await storage.run('inner', async () => {
      const resumed = new Promise<void>((resolve) =>
        poller.start(writable, () => {
          order.push(`callback ${storage.getStore()}`);
          process.nextTick(() => order.push('tick'));
          poller.stop();
          resolve();
        }),
      );
      await resumed;
      order.push(`after ${storage.getStore()}`);
    });
    assert.deepEqual(order, ['callback undefined', 'tick', 'after inner']);
    poller.close();
  });

  test('may be closed in its own callback and by one that comes before it in the same turn', async (context) => {
    const { fd } = fifo(context);
    const pollers = Array.from({ length: 10 }, () => new (native().Poller)(fd));
    let calls = 0;
    for (const poller of pollers) {
      poller.start(writable, () => {
        calls += 1;
        pollers.forEach((each) => each.close());
      });
    }
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(calls, 1);
  });

  test('a thousand of everything leave no descriptor', async (context) => {
    const folder = folderOf(context);
    const { fd } = fifo(context);
    await turn();
    const before = descriptors();
    for (let i = 0; i < 1000; i++) {
      const path = join(folder, `s${i}`);
      const receiver = native().bindDatagram(path, 0o600);
      const sender = native().connectDatagram(path);
      const listener = native().listenStream(`${path}l`, 0o600, 1);
      const pollers = [fd, receiver, sender, listener].map((each) => new (native().Poller)(each));
      pollers.forEach((poller, at) => at % 2 === 0 && poller.start(readable, () => undefined));
      if (i % 3 === 0) await turn();
      if (i % 2 === 0) pollers.forEach((poller) => poller.close());
      [receiver, sender, listener].forEach((each) => native().close(each));
      pollers.forEach((poller) => poller.close());
    }
    await turn();
    assert.deepEqual(descriptors(), before);
  });

  test('one that nobody refers to is collected and closed, unless it is started', async (context) => {
    const { fd } = fifo(context);
    const before = descriptors().size;
    let calls = 0;
    let active: WeakRef<Poller> | undefined;
    (() => {
      for (let i = 0; i < 100; i++) {
        const poller = new (native().Poller)(fd);
        poller.start(readable, () => calls++);
        poller.stop();
      }
      const poller = new (native().Poller)(fd);
      // The callback refers to its poller: that must not keep a stopped one alive.
      poller.start(readable, () => {
        calls += 1;
        poller.stop();
      });
      active = new WeakRef(poller);
    })();
    await collectUntil(() => descriptors().size === before + 1);
    assert.ok(active?.deref());
    native().write(fd, Buffer.from('x'), 0, 1);
    await collectUntil(() => descriptors().size === before);
    assert.equal(calls, 1);
  });
});

suite('the end of an environment', { skip }, () => {
  const options = (mode: string): { argv: string[] } => ({ argv: [mode] });

  test('workers that end by themselves, throw, exit in a callback or are terminated leave nothing', async (context) => {
    const { fd } = fifo(context);
    // A worker's first start opens descriptors of Node's own that stay.
    for (const mode of ['end', 'terminate']) await run(mode);
    const before = descriptors().size;
    for (const mode of ['end', 'exit', 'exitInCallback', 'throwInCallback', 'terminate', 'busy']) {
      await Promise.all([1, 2, 3].map(() => run(mode)));
      assert.equal(descriptors().size, before, mode);
    }
    // This environment is none the worse.
    const poller = new (native().Poller)(fd);
    assert.equal(await new Promise<number>((resolve) => poller.start(writable, resolve)), writable);
    poller.close();

    async function run(mode: string): Promise<void> {
      const worker = new Worker(program, options(mode));
      const failed: unknown[] = [];
      worker.on('error', (error) => failed.push(error));
      const exit = new Promise<number>((resolve) => worker.on('exit', resolve));
      await Promise.race([new Promise((resolve) => worker.on('message', resolve)), exit]);
      if (mode === 'terminate' || mode === 'busy') await worker.terminate();
      const code = await exit;
      assert.equal(code, mode === 'end' ? 0 : mode.startsWith('exit') ? 7 : 1, mode);
      if (mode === 'throwInCallback') assert.match(String(failed[0]), /thrown in a callback/);
      else assert.deepEqual(failed, [], mode);
    }
  });

  test('a process exits at once and in order with active pollers', async () => {
    for (const [mode, expected] of [
      ['end', 0],
      ['exit', 7],
      ['exitInCallback', 7],
      ['throwInCallback', 1],
    ] as const) {
      const ending = await promisify(execFile)(process.execPath, [program, mode]).then(
        () => ({ code: 0, stderr: '' }),
        (error: unknown) => error as { code: number; stderr: string },
      );
      assert.equal(ending.code, expected, `${mode}: ${ending.stderr}`);
      if (mode === 'throwInCallback') assert.match(ending.stderr, /thrown in a callback/);
    }
  });

  test('an error of a callback reaches uncaughtException, and the poller goes on', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'caught']);
    assert.equal(stdout, 'caught: thrown in a callback\ncaught: thrown in a callback\n');
  });
});
