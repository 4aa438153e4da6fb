/** Files that can be a store, files that cannot, and what becomes of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import { until } from '../../src/testing/until.ts';
import { codeOf, connect, create, everything, folder, open, options, outgoing, sql } from './scene.ts';

test('the file is private, and so is all beside it; removing the store removes all of it', async (t) => {
  const route = join(folder(t), 'bus.db');
  const store = await create(t, { route });
  const [a, b] = [await connect(store, 'a'), await connect(store, 'b')];
  b.watchInbox(() => undefined)();
  store.watchPeers(() => undefined)();
  await a.deliver('b', outgoing('a', 'b', 1));
  const beside = readdirSync(dirname(route)).sort();
  assert.deepEqual(beside, ['.bus.db.ipcm', 'bus.db', 'bus.db-shm', 'bus.db-wal']);
  for (const file of beside) {
    const { mode } = statSync(join(dirname(route), file));
    assert.equal(mode & 0o777, file.startsWith('.') ? 0o700 : 0o600, file);
  }
  await store.remove();
  assert.deepEqual(readdirSync(dirname(route)), []);
  await store.remove();
  await store.close();
});

test('a temporary store is a private directory, and nothing is left of it', async () => {
  const store = await protocol.create({ ...options, route: undefined, owner: ownIdentity(), guard: true });
  const directory = dirname(store.route);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(store.route).mode & 0o777, 0o600);
  await store.remove();
  await store.close();
  assert.ok(!existsSync(directory));
});

test('a route may be a data source name', async (t) => {
  const path = join(folder(t), 'bus.db');
  const store = await create(t, { route: `dbi:SQLite:dbname=${path}` });
  assert.equal(store.route, path);
  assert.equal((await open(t, `dbi:SQLite:${path}`)).route, path);
  assert.equal((await open(t, `dbi:SQLite:uri=1;database=${path}`)).route, path);
});

test('what is no store is refused with its reason', async (t) => {
  const root = folder(t);
  const at = (name: string): string => join(root, name);
  const opening = (route: string): Promise<string> => codeOf(() => open(t, route));
  const making = (route: string): Promise<string> => codeOf(() => create(t, { route }));
  assert.equal(await opening(at('missing.db')), 'IPCM_STORE_MISSING');
  assert.equal(await making(at('no/such/folder/x.db')), 'IPCM_ROUTE_INVALID');
  for (const route of ['', ':memory:', 'a\0b']) assert.equal(await opening(route), 'IPCM_ROUTE_INVALID');

  writeFileSync(at('text.db'), 'This is no database at all, but a text of some length.\n'.repeat(100), { mode: 0o600 });
  assert.equal(await opening(at('text.db')), 'IPCM_ROUTE_INVALID');
  assert.equal(await making(at('text.db')), 'IPCM_ROUTE_INVALID');
  assert.ok(existsSync(at('text.db')));

  writeFileSync(at('empty.db'), '', { mode: 0o600 });
  assert.equal(await opening(at('empty.db')), 'IPCM_STORE_MISSING');
  assert.equal(await making(at('empty.db')), 'no error');

  mkdirSync(at('folder.db'));
  assert.equal(await opening(at('folder.db')), 'IPCM_ROUTE_INVALID');
  await create(t, { route: at('real.db') });
  symlinkSync(at('real.db'), at('link.db'));
  assert.equal(await opening(at('link.db')), 'IPCM_ROUTE_UNSAFE');
  assert.equal(await making(at('link.db')), 'IPCM_ROUTE_UNSAFE');
  chmodSync(at('real.db'), 0o666);
  assert.equal(await opening(at('real.db')), 'IPCM_ROUTE_UNSAFE');

  mkdirSync(at('open'));
  chmodSync(at('open'), 0o777);
  assert.equal(await making(at('open/x.db')), 'IPCM_ROUTE_UNSAFE');
  symlinkSync('/etc/passwd', at('laid.db-wal'));
  writeFileSync(at('laid.db'), '', { mode: 0o600 });
  assert.equal(await opening(at('laid.db')), 'IPCM_ROUTE_UNSAFE');
});

test('a damaged database is an error that says so', async (t) => {
  const store = await create(t);
  const a = await connect(store, 'a');
  await a.deliver('a', outgoing('a', 'a', ...Array.from({ length: 500 }, (_, n) => 'x'.repeat(n))));
  sql(t, store.route).exec('PRAGMA wal_checkpoint(TRUNCATE)');
  await store.close();
  const size = statSync(store.route).size;
  writeFileSync(store.route, Buffer.alloc(size - 4096, 0xab), { flag: 'r+' });
  assert.equal(await codeOf(() => open(t, store.route)), 'IPCM_ROUTE_INVALID');
});

test('a file that somebody removes is missed by all who have it open', async (t) => {
  const store = await create(t);
  const other = await open(t, store.route);
  const [a, b] = [await connect(store, 'a'), await connect(other, 'b')];
  rmSync(store.route);
  assert.equal(await codeOf(() => a.receive(everything)), 'IPCM_STORE_MISSING');
  assert.equal(await codeOf(() => b.deliver('a', outgoing('b', 'a', 1))), 'IPCM_STORE_MISSING');
  assert.equal(await codeOf(() => other.peers()), 'IPCM_STORE_MISSING');
  assert.equal(await codeOf(() => connect(other, 'c')), 'IPCM_STORE_MISSING');
  // One of the same name is another store.
  await create(t, { route: store.route });
  assert.equal(await codeOf(() => other.peers()), 'IPCM_STORE_MISSING');
});

test('when the store is removed its senders fail at once, whatever they believe', async (t) => {
  const store = await create(t);
  const other = await open(t, store.route);
  const [a] = [await connect(other, 'a'), await connect(other, 'b')];
  await a.deliver('b', outgoing('a', 'b', 1));
  await store.remove();
  assert.equal(await codeOf(() => a.deliver('b', outgoing('a', 'b', 2))), 'IPCM_STORE_MISSING');
  assert.equal(await codeOf(() => a.deliver('b', outgoing('a', 'b', 2, 3))), 'IPCM_STORE_MISSING');
});

test('a database that holds other tables is kept, without ours', async (t) => {
  const route = join(folder(t), 'app.db');
  const app = sql(t, route);
  chmodSync(route, 0o600);
  app.exec('CREATE TABLE invoices(n INTEGER); INSERT INTO invoices VALUES (1); CREATE INDEX i ON invoices(n)');
  for (const sync of [false, true]) {
    const store = await create(t, { route });
    await connect(store, 'a');
    if (sync) store.removeSync();
    else await store.remove();
    assert.ok(existsSync(route));
    const tables = app.prepare("SELECT name FROM sqlite_master WHERE name LIKE 'ipcm%'").all();
    assert.deepEqual(tables, []);
    assert.equal(app.prepare('SELECT n FROM invoices').get()?.['n'], 1);
  }
});

test('a store that somebody else has locked when its maker exits is removed when the lock is gone', async (t) => {
  const route = join(folder(t), 'bus.db');
  const index = new URL('../../src/index.ts', import.meta.url).href;
  const code = `
    import { ipcmSpawn } from '${index}';
    await ipcmSpawn({ protocol: 'SQLite', route: process.argv[1] });
    process.on('message', () => process.exit());
    process.send('made');`;
  const args = ['--input-type=module', '-e', code, route];
  const maker = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.after(() => maker.kill('SIGKILL'));
  await once(maker, 'message');
  const other = sql(t, route);
  other.exec('BEGIN IMMEDIATE');
  const exited = once(maker, 'exit');
  maker.send('exit');
  await exited;
  assert.ok(existsSync(route));
  other.exec('ROLLBACK');
  await until('the store is gone', () => !existsSync(route));
});

test('a guarded store of a process that ended is removed after it was closed, too', async (t) => {
  const store = await create(t);
  await store.close();
  await store.remove();
  assert.ok(!existsSync(store.route));
});

test('a file name with odd characters is a route, and the info reaches it', async (t) => {
  const directory = mkdtempSync(join(folder(t), 'with space ü%41'));
  const bus = await ipcmSpawn({ protocol, route: join(directory, "it's a #1?.db") });
  const client = await ipcmConnect('a', bus.info, { protocol });
  await client.sendMessage('a', 1);
  assert.deepEqual(
    (await client.getMessages()).map(({ content }) => content),
    [1],
  );
  await client.disconnect();
  await bus.shutdown();
  assert.deepEqual(readdirSync(directory), []);
});

test('a store that was closed says so; one beside another protocol takes nothing of it along', async (t) => {
  const store = await create(t);
  await store.close();
  assert.equal(await codeOf(() => store.peers()), 'IPCM_STORE_FAILED');
  const directory = folder(t);
  mkdirSync(join(directory, '.ipcm/out'), { recursive: true });
  writeFileSync(join(directory, '.ipcm/owner'), '1 - - -\nguard\nMessageFiles\nid\n');
  const inside = await create(t, { route: join(directory, 'bus.db') });
  await inside.remove();
  assert.deepEqual(readdirSync(directory), ['.ipcm']);
});
