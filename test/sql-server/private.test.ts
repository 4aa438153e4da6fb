/** Private servers of every kind, while they are being made and when somebody on the machine means ill. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ipcmSpawn } from '../../src/bus.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { recipe as postgresql } from '../../src/protocols/postgresql/recipe.ts';
import { database } from '../../src/protocols/postgresql/index.ts';
import { foldersOf, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import type { Recipe } from '../../src/protocols/sql-server/private/recipe.ts';
import { noPrivateServer, startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { makeServerProtocol } from '../../src/protocols/sql-server/protocol.ts';
import { until } from '../../src/testing/until.ts';

const recipes = { PostgreSQL: postgresql, MariaDB: mariadb, MySQL: mysql };

/** A folder for temporary stores, into which the servers' users get. */
function temporary(t: TestContext): string {
  const folder = mkdtempSync('/tmp/ipcm-test-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  return folder;
}

/** Processes in whose arguments a path stands. */
function processesOf(path: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(path);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}

/** Inodes of the sockets that listen on TCP, of all processes. */
function listening(): string[] {
  return ['tcp', 'tcp6']
    .flatMap((family) => readFileSync(`/proc/net/${family}`, 'latin1').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === '0A')
    .map((fields) => fields[9] ?? '');
}

/** Sets a variable of the environment for one test. */
function setVariable(t: TestContext, name: string, value: string): void {
  const old = process.env[name];
  process.env[name] = value;
  t.after(() => (old === undefined ? delete process.env[name] : (process.env[name] = old)));
}

const stores = (root: string): string[] => readdirSync(root).filter((name) => name.startsWith('ipcm-'));

for (const [kind, recipe] of Object.entries(recipes)) {
  const skip = noPrivateServer(recipe) ?? false;

  test(`a private ${kind} server is not root's, listens on no port, and lets nobody else near`, { skip }, async (t) => {
    const folder = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: true });
    t.after(() => stopPrivate(folder, recipe));
    const pid = readServer(folder)?.identity.pid ?? 0;
    assert.doesNotMatch(readFileSync(`/proc/${pid}/status`, 'latin1'), /^Uid:.*\b0\b/m);
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const sockets = open.flatMap((to) => /^socket:\[(\d+)\]$/.exec(to)?.[1] ?? []);
    assert.ok(sockets.length > 0);
    const ports = listening();
    assert.deepEqual(
      sockets.filter((inode) => ports.includes(inode)),
      [],
    );
    const { data, run } = foldersOf(folder);
    for (const inner of [data, run, `${folder}/.ipcm`]) assert.equal(statSync(inner).mode & 0o077, 0, inner);
  });

  for (const [moment, guard] of [
    ['its data are made', 'guard'],
    ['its data are made', 'keep'],
    ['it starts', 'guard'],
    ['it starts', 'keep'],
  ] as const) {
    const what = guard === 'guard' ? 'server' : 'server that is to be kept';
    test(`of a ${kind} ${what} nothing is left when its owner is killed while ${moment}`, { skip }, async (t) => {
      const root = temporary(t);
      const child = fork(join(import.meta.dirname, 'owner.ts'), [kind, guard], {
        env: { ...process.env, TMPDIR: root },
      });
      t.after(() => child.kill('SIGKILL'));
      const begun = (): boolean =>
        moment === 'it starts'
          ? stores(root).some((store) => existsSync(join(root, store, '.ipcm/pid')))
          : processesOf(root).length > 0;
      await until('it has begun', begun, 30_000);
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await until('all of it is gone', () => processesOf(root).length + stores(root).length === 0, 1000);
    });
  }
}

const mayBecomeAnother = process.getuid?.() === 0 ? false : 'only root starts servers as somebody else';

test("nothing of root's goes where the server's user could have put a link", { skip: mayBecomeAnother }, async (t) => {
  const outside = temporary(t);
  const victims = ['log', 'pid'].map((name) => join(outside, name));
  for (const victim of victims) writeFileSync(victim, 'untouched');
  setVariable(t, 'TMPDIR', temporary(t));
  const recipe: Recipe = {
    ...postgresql,
    programs: { sh: ['sh'] },
    prepare: ({ run }, { sh = '' }) =>
      victims.map((victim) => ({ program: sh, args: ['-c', 'ln -sf "$1" "$2"', sh, victim, run] })),
    serve: (_, { sh = '' }) => ({ program: sh, args: ['-c', 'echo is ready >&2; while :; do sleep 1; done'] }),
    ready: /is ready/,
    stop: 'SIGKILL',
  };
  for (const guard of [true, false]) {
    const folder = await startPrivate('links', recipe, { owner: ownIdentity(), guard });
    await stopPrivate(folder, recipe);
    for (const victim of victims) assert.equal(readFileSync(victim, 'utf8'), 'untouched');
    assert.ok(!existsSync(folder));
  }
});

test('without the programs on PATH a store without a route is not viable, and the reason says what to install', async (t) => {
  const recipe = { ...postgresql, programs: { postgres: ['postgres-of-nobody'] }, places: [] };
  const protocol = makeServerProtocol({ ...database, recipe });
  setVariable(t, 'PATH', '');
  const message =
    /^PostgreSQL is not viable here: no postgres-of-nobody was found on PATH; install postgresql, or give a route$/;
  await assert.rejects(ipcmSpawn({ protocol }), { code: 'IPCM_NOT_VIABLE', message });
});
