import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { temporaryRoot } from '../../src/protocols/directory/route.ts';
import { protocol } from '../../src/protocols/message-files/index.ts';
import { connect, everything, folder, open, options, outgoing, store } from '../fixtures/directory-bus.ts';

const root = process.getuid?.() === 0;
const create = (route: string | undefined): unknown =>
  protocol.create({ ...options, route, owner: ownIdentity(), guard: true });

test('a new route is made private, whatever the umask', async (t) => {
  for (const umask of [0, 0o077]) {
    const path = join(folder(t), 'new');
    const before = process.umask(umask);
    try {
      create(path);
      const on = open(path);
      const a = await connect(t, on, 'a');
      await connect(t, on, 'n/b');
      await a.deliver('a', outgoing('a', 'a', 1));
      await a.writeStats({ sent: new Map(), read: new Map() });
      await a.requeue(outgoing('a', 'a', 2));
    } finally {
      process.umask(before);
    }
    for (const file of ['', ...(readdirSync(path, { recursive: true }) as string[])]) {
      const state = statSync(join(path, file));
      assert.equal(state.mode & 0o777, state.isDirectory() ? 0o700 : 0o600, file);
    }
  }
});

test('a temporary route is private, in the best place, and goes without a trace', async () => {
  const made = await protocol.create({ ...options, route: undefined, owner: ownIdentity(), guard: true });
  assert.ok(made.route.startsWith(`${temporaryRoot()}/ipcm-`));
  assert.equal(statSync(made.route).mode & 0o777, 0o700);
  await made.remove();
  assert.ok(!existsSync(made.route));
  await made.remove();
  made.removeSync();
});

test('TMPDIR decides where a temporary route goes', async (t) => {
  const before = process.env['TMPDIR'];
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  process.env['TMPDIR'] = folder(t);
  const made = await protocol.create({ ...options, route: undefined, owner: ownIdentity(), guard: true });
  assert.ok(made.route.startsWith(`${process.env['TMPDIR']}/ipcm-`));
  // Others may have left some in the system's folders.
  assert.ok(!(await protocol.findStale?.())?.some(({ route }) => route === made.route));
  const missing = join(made.route, 'nothing');
  process.env['TMPDIR'] = missing;
  assert.throws(() => create(undefined), { code: 'IPCM_ROUTE_INVALID', route: missing, message: /set TMPDIR/ });
});

test('an empty directory and a store are adopted, anything else is not', async (t) => {
  const path = folder(t);
  create(path);
  create(path);
  await connect(t, open(path), 'somebody');
  create(path);
  const reference = folder(t);
  mkdirSync(join(reference, 'rx'));
  writeFileSync(join(reference, 'rx.pid'), '1');
  create(reference);
  for (const foreign of ['file', 'folder/', '.profile']) {
    const other = folder(t);
    if (foreign.endsWith('/')) mkdirSync(join(other, foreign));
    else writeFileSync(join(other, foreign), '');
    assert.throws(() => create(other), { code: 'IPCM_ROUTE_INVALID', message: new RegExp(foreign.replace('/', '')) });
    assert.ok(existsSync(join(other, foreign)));
  }
});

test('a directory that a client was in by mistake is no store for that', async (t) => {
  const path = folder(t);
  mkdirSync(join(path, 'src'));
  writeFileSync(join(path, 'src', 'code'), 'of somebody');
  const lost = await connect(t, open(path), 'lost');
  await lost.disconnect();
  assert.throws(() => create(path), { code: 'IPCM_ROUTE_INVALID', message: /"src"/ });
  assert.ok(existsSync(join(path, 'src', 'code')));
});

test('a missing route cannot be opened, a missing parent not be made', (t) => {
  const path = folder(t);
  assert.throws(() => open(join(path, 'none')), { code: 'IPCM_STORE_MISSING' });
  assert.throws(() => create(join(path, 'none', 'none')), { code: 'IPCM_ROUTE_INVALID', message: /parent/ });
  assert.throws(() => open(''), { code: 'IPCM_ROUTE_INVALID' });
  assert.throws(() => open('a\0b'), { code: 'IPCM_ROUTE_INVALID' });
});

test('a symbolic link, a file, and a directory that others can write to are refused', (t) => {
  const path = folder(t);
  mkdirSync(join(path, 'real'));
  symlinkSync(join(path, 'real'), join(path, 'link'));
  writeFileSync(join(path, 'file'), '');
  mkdirSync(join(path, 'open'));
  chmodSync(join(path, 'open'), 0o777);
  mkdirSync(join(path, 'group'));
  chmodSync(join(path, 'group'), 0o770);
  for (const act of [open, create]) {
    assert.throws(() => act(join(path, 'link')), { code: 'IPCM_ROUTE_UNSAFE' });
    assert.throws(() => act(`${join(path, 'link')}/`), { code: 'IPCM_ROUTE_UNSAFE' });
    assert.throws(() => act(join(path, 'open')), { code: 'IPCM_ROUTE_UNSAFE', message: /0777/ });
    assert.throws(() => act(join(path, 'group')), { code: 'IPCM_ROUTE_UNSAFE' });
    assert.throws(() => act(join(path, 'file')), { code: 'IPCM_ROUTE_INVALID' });
  }
});

test("somebody else's directory is refused", { skip: root ? false : 'needs root, to give a directory away' }, (t) => {
  const path = join(folder(t), 'other');
  mkdirSync(path);
  chownSync(path, 12_345, 12_345);
  assert.throws(() => open(path), { code: 'IPCM_ROUTE_UNSAFE', message: /12345/ });
  assert.throws(() => create(path), { code: 'IPCM_ROUTE_UNSAFE' });
});

test(
  'a store that cannot be removed now can be later',
  { skip: root ? false : 'needs root, to mount a file system that is in the way' },
  async (t) => {
    const on = store(t);
    const path = join(on.route, 'a');
    mkdirSync(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', path]);
    try {
      assert.throws(() => on.remove(), { code: 'IPCM_STORE_FAILED' });
    } finally {
      execFileSync('umount', ['-l', path]);
    }
    assert.ok(existsSync(on.route));
    on.remove();
    assert.ok(!existsSync(on.route));
    assert.deepEqual(readdirSync(join(on.route, '..')), []);
  },
);

test('a store that was replaced is not removed by who opened the first', async (t) => {
  const first = store(t);
  const copy = open(first.route);
  first.remove();
  create(first.route);
  copy.remove();
  copy.removeSync();
  assert.ok(existsSync(first.route));
  open(first.route).remove();
  symlinkSync(folder(t), first.route);
  copy.remove();
  assert.ok(existsSync(first.route));
});

test(
  'no space left is said as such, and the store works on when there is some',
  { skip: root ? false : 'needs root, to mount a small file system' },
  async (t) => {
    const path = join(folder(t), 'mounted');
    mkdirSync(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,mode=0700', 'tmpfs', path]);
    try {
      create(path);
      const on = open(path);
      const a = await connect(t, on, 'a');
      const big = outgoing('a', 'a', ...Array.from({ length: 20 }, () => 'x'.repeat(20_000)));
      const { taken, error } = await a.deliver('a', big);
      assert.equal(error?.code, 'IPCM_STORE_FULL');
      assert.ok(taken > 0 && taken < 20);
      assert.equal(readdirSync(join(path, '.ipcm/out')).length, 0);
      assert.equal((await a.receive({ messages: 100, bytes: 1e9 })).length, taken);
      assert.equal((await a.deliver('a', big.slice(0, 1))).taken, 1);
      assert.equal((await a.receive(everything)).length, 1);
      assert.throws(() => a.requeue(big), { code: 'IPCM_STORE_FULL' });
      assert.deepEqual(await a.receive(everything), [], 'all are put back or none');
      await a.requeue(big.slice(0, 2));
      assert.equal((await a.receive(everything)).length, 2);
      await a.disconnect();
      on.remove();
      assert.deepEqual(readdirSync(path), []);
    } finally {
      execFileSync('umount', ['-l', path]);
    }
  },
);
