/** Private servers: started for a store, and gone with it. */
import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { isAlive } from '../../src/liveness/alive.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { folderOfSocket, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { until } from '../../src/testing/until.ts';

const folderOf = (route: string): string => folderOfSocket(/host=([^;]*)/.exec(route)?.[1]) ?? '';

/** A child that spawns a store, and says its info. */
async function owner(t: TestContext, ...args: string[]): Promise<{ child: ReturnType<typeof fork>; info: string }> {
  const child = fork(join(import.meta.dirname, 'owner.ts'), args);
  t.after(() => child.kill('SIGKILL'));
  const [info] = (await once(child, 'message')) as [string];
  return { child, info };
}

test('a store without a route has a server of its own, which is gone after the shutdown', async () => {
  const bus = await ipcmSpawn({ protocol });
  const folder = folderOf(bus.route);
  const server = readServer(folder)?.identity;
  assert.ok(server !== undefined && isAlive(server));
  assert.match(bus.route, /^dbi:Pg:dbname=postgres;host=\/.*\/ipcm-\w{6}\/r;port=5432$/);
  const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
  assert.doesNotMatch(status, /^Uid:\s+0/m, 'not as root');
  // Nobody else gets to its socket.
  assert.equal(statSync(`${folder}/r`).mode & 0o077, 0);
  assert.equal(
    readFileSync(`/proc/${server.pid}/net/tcp`, 'latin1').includes(':1538 00000000:0000 0A'),
    await isPublic(),
  );
  const a = await bus.connect('a');
  await a.sendMessage('a', 1);
  assert.equal((await a.getMessages())[0]?.content, 1);
  await bus.shutdown();
  assert.ok(!isAlive(server) && !existsSync(folder));
  await assert.rejects(ipcmConnect('a', bus.info, { protocol }), { code: 'IPCM_STORE_MISSING' });
});

/** True where a server of somebody else listens on PostgreSQL's own port. */
async function isPublic(): Promise<boolean> {
  return Promise.resolve(readFileSync('/proc/self/net/tcp', 'latin1').includes(':1538 00000000:0000 0A'));
}

for (const ending of ['SIGKILL', 'SIGTERM', 'exit', 'throw'] as const) {
  test(`the server is gone soon after its owner's end by ${ending}, and its folder too`, async (t) => {
    const { child, info } = await owner(t, 'guard');
    const folder = folderOf(info);
    const server = readServer(folder)?.identity;
    assert.ok(server !== undefined && isAlive(server));
    const ended = once(child, 'exit');
    if (ending === 'exit' || ending === 'throw') child.send(ending);
    else child.kill(ending);
    await ended;
    await until('it is gone', () => !isAlive(server) && !existsSync(folder), 1000);
  });
}

test('what a double kill leaves is found and removed, what lives is not', async (t) => {
  const living = await ipcmSpawn({ protocol });
  const { child, info } = await owner(t, 'guard');
  const folder = folderOf(info);
  const server = readServer(folder)?.identity;
  assert.ok(server !== undefined);
  // The watchdog is the server's parent, or the one before it.
  const watchdog = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1]);
  process.kill(watchdog, 'SIGKILL');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const stale = (await protocol.findStale?.()) ?? [];
  const [found] = stale.filter(({ route }) => info.includes(route));
  assert.equal(found?.owner.pid, child.pid);
  assert.ok(!stale.some(({ route }) => route === living.route));
  assert.equal(await found?.remove(), true);
  assert.ok(!isAlive(server) && !existsSync(folder));
  await living.shutdown();
});

test('a server that is not guarded outlives its owner, until somebody destroys the store', async (t) => {
  const { child, info } = await owner(t, 'keep');
  const folder = folderOf(info);
  const server = readServer(folder)?.identity;
  child.send('exit');
  await once(child, 'exit');
  assert.ok(server !== undefined && isAlive(server));
  const a = await ipcmConnect('a', info, { protocol });
  await a.suspend();
  assert.ok(!((await protocol.findStale?.()) ?? []).some(({ route }) => info.includes(route)));
  const [, , route] = JSON.parse(info) as [string, string, string];
  const store = await protocol.open(route, {
    serializer: a.serializer,
    limits: { maxMessageBytes: 1 },
    protocolOptions: {},
  });
  assert.deepEqual(
    (await store.peers()).map(({ name, state }) => [name, state]),
    [['a', 'suspended']],
  );
  await store.remove();
  await store.close();
  assert.ok(!isAlive(server) && !existsSync(folder));
});

test('no password is shown: not in the info, not by inspect, not in errors, not to other processes', async (t) => {
  const bus = await ipcmSpawn({ protocol });
  t.after(() => bus.unspawn());
  const secret = 'geheim-4711';
  const url = bus.route.replace(
    /^dbi:Pg:dbname=(\w+);host=([^;]*);port=(\d+)$/,
    (_, name: string, host: string, port: string) =>
      `postgres://${readServer(folderOf(bus.route))?.user}:${secret}@/${name}?host=${encodeURIComponent(host)}&port=${port}`,
  );
  const other = await ipcmSpawn({ protocol, route: url, pass: secret, guard: false });
  assert.equal(other.route, bus.route);
  const client = await other.connect('a');
  const shown = [
    other.info,
    inspect(other, { depth: 9, showHidden: true }),
    inspect(client, { depth: 9, showHidden: true }),
  ];
  for (const broken of [
    `${url}#x`,
    url.replace('@', '%zz@'),
    `${url}&nonsense=1`,
    url.replace('postgres:', 'mongo:'),
  ]) {
    const error = await ipcmSpawn({ protocol, route: broken }).then(
      () => assert.fail(`${broken} was taken`),
      (reason: unknown) => reason,
    );
    assert.equal((error as { code?: string }).code, 'IPCM_ROUTE_INVALID');
    shown.push(inspect(error, { depth: 9, showHidden: true }));
  }
  const activity = spawnSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }).stdout;
  shown.push(activity);
  const log = join(folderOf(bus.route), '.ipcm/log');
  shown.push(readFileSync(log, 'utf8'));
  for (const text of shown) assert.ok(!text.includes(secret), text.slice(0, 2000));
  await client.disconnect();
});

test('nothing is left in the temporary folders when a server cannot be started', async () => {
  const { recipe } = await import('../../src/protocols/postgresql/recipe.ts');
  const { startPrivate } = await import('../../src/protocols/sql-server/private/server.ts');
  const { ownIdentity } = await import('../../src/liveness/identity.ts');
  let folder = '';
  const broken = {
    ...recipe,
    serve: (folders: { readonly data: string }) => {
      folder = dirname(folders.data);
      return { program: '/bin/sh', args: ['-c', 'echo cannot bind >&2; exit 3'] };
    },
    prepare: () => [],
  };
  for (const guard of [true, false]) {
    await assert.rejects(startPrivate('PostgreSQL', broken, { owner: ownIdentity(), guard }), {
      code: 'IPCM_STORE_FAILED',
      message: /cannot bind/,
    });
    assert.ok(folder !== '' && !existsSync(folder), readdirSync(dirname(folder)).join());
  }
});
