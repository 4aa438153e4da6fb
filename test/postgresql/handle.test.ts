/** Handles of the caller's, users and passwords. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { defaultPass } from '../../src/protocols/postgresql/words.ts';
import { TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await TestServer.start();
  await server.query("CREATE ROLE bus LOGIN PASSWORD 'geheim'");
  await server.query('GRANT ALL ON SCHEMA public TO bus');
});
after(() => server.stop());

for (const kind of ['client', 'pool'] as const) {
  test(`a ${kind} of pg is enough, its transactions stay its own, and others connect by the info`, async (t) => {
    const settings = { ...server.settings, options: `-c search_path=of_${kind}` };
    await server.query(`CREATE SCHEMA of_${kind}`);
    const handle = kind === 'client' ? new pg.Client(settings) : new pg.Pool({ ...settings, max: 1 });
    t.after(() => handle.end());
    if (handle instanceof pg.Client) await handle.connect();
    const bus = await ipcmSpawn({ protocol, protocolOptions: { database: handle }, guard: false });
    assert.match(bus.route, /^dbi:Pg:dbname=postgres;host=\/.*;port=5432;options='-c search_path=of_\w+'$/);
    const [a, b] = [await bus.connect('a'), await ipcmConnect('b', bus.info, { protocol })];
    if (handle instanceof pg.Client) await handle.query('BEGIN');
    await a.sendMessage('b', 'hello');
    if (handle instanceof pg.Client) await handle.query('ROLLBACK');
    assert.equal((await b.getMessages())[0]?.content, 'hello');
    await a.disconnect();
    await b.disconnect();
    await bus.shutdown();
    assert.equal((await handle.query<{ one: number }>('SELECT 1 AS one')).rows[0]?.one, 1, 'it is still open');
  });
}

test('what is no handle is refused, and not shown', async () => {
  const database = { password: 'geheim' };
  await assert.rejects(ipcmSpawn({ protocol, protocolOptions: { database } }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'IPCM_INVALID_OPTION');
    assert.doesNotMatch(error.message, /geheim/);
    return true;
  });
  for (const wrong of [{ user: 1 }, { pass: ['geheim'] }]) {
    await assert.rejects(ipcmSpawn({ protocol, ...(wrong as object) }), { code: 'IPCM_INVALID_OPTION' });
  }
  for (const wrong of [{ lease: 0 }, { lockTimeout: 'x' }, { reconnectTimeout: -1 }]) {
    await assert.rejects(ipcmSpawn({ protocol, protocolOptions: wrong }), { code: 'IPCM_INVALID_OPTION' });
  }
});

test('a user is an option, or part of a URL, which the info does not carry', async () => {
  const { host, port } = server.settings;
  const url = `postgres://bus:geheim@/postgres?host=${encodeURIComponent(String(host))}&port=${port}`;
  const bus = await ipcmSpawn({ protocol, route: url, guard: false });
  assert.doesNotMatch(bus.info, /geheim|bus:/);
  const owner = await server.query(
    "SELECT tableowner FROM pg_tables WHERE tablename = 'ipcm_messages' AND schemaname = 'public'",
  );
  assert.deepEqual(owner, [{ tableowner: 'bus' }]);
  const client = await ipcmConnect('a', bus.info, { protocol, user: 'bus', pass: 'geheim' });
  const [row] = await server.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'bus'");
  assert.ok(Number(row?.['n']) >= 1);
  await client.disconnect();
  await bus.shutdown();
  await assert.rejects(ipcmSpawn({ protocol, route: bus.route, user: 'nobody_here' }), {
    code: 'IPCM_STORE_FAILED',
    message: /refuses the user/,
  });
});

test('.pgpass is read as libpq reads it: by host, port, database and user, and only if it is private', (t) => {
  const folder = mkdtempSync('/tmp/ipcm-test-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pgpass');
  const old = process.env['PGPASSFILE'];
  t.after(() => {
    if (old === undefined) delete process.env['PGPASSFILE'];
    else process.env['PGPASSFILE'] = old;
  });
  process.env['PGPASSFILE'] = file;
  const lines = [
    '# a comment',
    'other:5432:ipcm:me:wrong',
    'db\\:x:5432:*:me:a\\:b\\\\c',
    'localhost:*:ipcm:me:local',
    '*:*:*:*:any',
  ];
  const source = (host: string | undefined, database = 'ipcm') => ({
    driver: 'Pg',
    database,
    host,
    port: undefined,
    socket: undefined,
    kept: {},
  });
  writeFileSync(file, lines.join('\n'), { mode: 0o600 });
  assert.equal(defaultPass(source('db:x'), 'me'), 'a:b\\c');
  assert.equal(defaultPass(source('/tmp/pg'), 'me'), 'local');
  assert.equal(defaultPass(source('elsewhere'), 'you'), 'any');
  rmSync(file);
  writeFileSync(file, lines.join('\n'), { mode: 0o644 });
  assert.equal(defaultPass(source('elsewhere'), 'you'), undefined);
});
