/** Users and passwords, on servers that ask for them: where they come from, whom they reach, and where they are never seen. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { createConnection } from 'mariadb';
import pg from 'pg';
import { ipcmConnect, ipcmSpawn } from '../../src/index.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { recipe as postgresql } from '../../src/protocols/postgresql/recipe.ts';
import { foldersOf, logPath, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import type { Recipe } from '../../src/protocols/sql-server/private/recipe.ts';
import { noPrivateServer, startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { ipcmService, ipcmSupervise } from '../../src/service/index.ts';

/** Of the bus's user. What it holds has to be escaped in a URL. */
const pass = 'gehe:im@/4711';
const rootPass = 'of the administrator';

type Kind = 'PostgreSQL' | 'MariaDB' | 'MySQL';

/** Servers that ask everybody for a password. */
const recipes: Readonly<Record<Kind, Recipe>> = {
  PostgreSQL: {
    ...postgresql,
    programs: { ...postgresql.programs, sh: ['sh'] },
    prepare: (folders, programs, user) => [
      {
        program: programs['sh'] ?? '',
        args: ['-c', 'printf %s "$1" >"$2"', 'sh', rootPass, `${folders.run}/password`],
      },
      ...postgresql.prepare(folders, programs, user).map(({ program, args }) => ({
        program,
        args: [...args.map((arg) => (arg === 'trust' ? 'scram-sha-256' : arg)), `--pwfile=${folders.run}/password`],
      })),
    ],
  },
  MariaDB: {
    ...mariadb,
    programs: { ...mariadb.programs, install: ['mariadb-install-db', 'mysql_install_db'] },
    prepare: (folders, programs, user) => [
      {
        program: programs['install'] ?? '',
        args: [
          '--no-defaults',
          `--datadir=${folders.data}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
          '--skip-name-resolve',
        ],
      },
      ...mariadb.prepare(folders, programs, user),
    ],
    serve: (folders, programs) => {
      const { program, args } = mariadb.serve(folders, programs);
      return { program, args: args.filter((arg) => arg !== '--skip-grant-tables') };
    },
  },
  MySQL: mysql,
};

interface Server {
  readonly folder: string;
  /** The route without user and password. */
  readonly route: string;
  url(user: string, pass: string): string;
}

async function start(t: TestContext, kind: Kind): Promise<Server> {
  const recipe = recipes[kind];
  const folder = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: true });
  t.after(() => stopPrivate(folder, recipe));
  const { run } = foldersOf(folder);
  const user = readServer(folder)?.user ?? '';
  if (kind === 'PostgreSQL') {
    const admin = new pg.Client({ host: run, port: 5432, user, password: rootPass, database: 'postgres' });
    await admin.connect();
    await admin.query(`CREATE ROLE bus LOGIN PASSWORD '${pass}'`);
    await admin.query('CREATE DATABASE ipcm OWNER bus');
    await admin.end();
    const route = `dbi:Pg:dbname=ipcm;host=${run};port=5432`;
    const query = `host=${encodeURIComponent(run)}&port=5432`;
    return { folder, route, url: (u, p) => `postgres://${u}:${encodeURIComponent(p)}@/ipcm?${query}` };
  }
  const admin = await createConnection({ socketPath: `${run}/s`, user: 'root' });
  await admin.query(`CREATE USER bus@localhost IDENTIFIED BY '${pass}'`);
  await admin.query('GRANT ALL ON ipcm.* TO bus@localhost');
  await admin.query(`ALTER USER root@localhost IDENTIFIED BY '${rootPass}'`);
  await admin.end();
  const [scheme, driver] = kind === 'MariaDB' ? ['mariadb', 'MariaDB'] : ['mysql', 'mysql'];
  const route = `dbi:${driver}:database=ipcm;${scheme}_socket=${run}/s`;
  const query = `${scheme}_socket=${encodeURIComponent(`${run}/s`)}`;
  return { folder, route, url: (u, p) => `${scheme}://${u}:${encodeURIComponent(p)}@/ipcm?${query}` };
}

/** The command lines of all processes. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1');
      } catch {
        // It has ended meanwhile.
        return '';
      }
    })
    .join('\n');
}

const deep = { depth: 9, showHidden: true };

for (const kind of ['PostgreSQL', 'MariaDB', 'MySQL'] as const) {
  const skip = noPrivateServer(recipes[kind]) ?? false;
  test(
    `${kind}: user and password of a URL reach all whom its maker lets in, and are shown to nobody`,
    { skip },
    async (t) => {
      const server = await start(t, kind);
      const bus = await ipcmSpawn({ protocol: kind, route: server.url('bus', pass), guard: false });
      assert.equal(bus.route, server.route);
      const [a, b] = [await bus.connect('a'), await ipcmConnect('b', bus)];
      await a.sendMessage('b', 'hello');
      assert.equal((await b.getMessages({ timeout: 10_000 }))[0]?.content, 'hello');
      const shown = [bus.info, inspect(bus, deep), inspect(a, deep)];
      const service = await ipcmService('double', (n: number) => n * 2, { ipcmInfo: bus });
      assert.equal(await service.request(21, { timeout: 30_000 }), 42);
      const children = [{ name: 'child', service: () => 'here' }];
      const supervisor = await ipcmSupervise({ ipcmInfo: bus, children });
      assert.equal(await supervisor.child('child').request('?', { timeout: 30_000 }), 'here');
      shown.push(commandLines(), inspect(service, deep), inspect(supervisor, deep));
      await supervisor.stop();
      await service.stop();
      const refused = [
        ipcmConnect('c', bus.info),
        ipcmConnect('c', bus.info, { user: 'bus', pass: `not ${pass}` }),
        ipcmSpawn({ protocol: kind, route: server.url('bus', `not ${pass}`), guard: false }),
      ];
      for (const attempt of await Promise.allSettled(refused)) {
        assert.equal(attempt.status, 'rejected');
        const error: unknown = attempt.reason;
        const { code, message } = error as { code?: string; message: string };
        assert.equal(code, 'IPCM_STORE_FAILED');
        assert.match(message, /refuses the user/);
        shown.push(inspect(error, deep));
      }
      const c = await ipcmConnect('c', bus.info, { user: 'bus', pass });
      for (const client of [a, b, c]) await client.disconnect(() => undefined);
      await bus.shutdown();
      shown.push(readFileSync(logPath(server.folder), 'utf8'));
      for (const text of shown)
        assert.ok(!text.includes(pass) && !text.includes(encodeURIComponent(pass)), text.slice(0, 2000));
    },
  );

  test(`${kind}: a service on a bus of its own, by a URL`, { skip }, async (t) => {
    const server = await start(t, kind);
    const spawn = { protocol: kind, route: server.url('bus', pass) };
    await using service = await ipcmService('double', (n: number) => n * 2, { spawn });
    assert.equal(await service.request(21, { timeout: 30_000 }), 42);
  });
}
