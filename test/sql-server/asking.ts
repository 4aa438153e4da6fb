/** Servers that ask everybody for a password. */
import type { TestContext } from 'node:test';
import { createConnection } from 'mariadb';
import pg from 'pg';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { recipe as postgresql } from '../../src/protocols/postgresql/recipe.ts';
import { foldersOf, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import type { Recipe } from '../../src/protocols/sql-server/private/recipe.ts';
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { ending } from './ending.ts';
import type { Kind } from './server.ts';

/** Of the bus's users. What it holds has to be escaped in a URL. */
export const pass = 'gehe:im@/4711';
const rootPass = 'of the administrator';

/** How each is started. */
export const recipes: Readonly<Record<Kind, Recipe>> = {
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

/** A server of one test. */
export interface AskingServer {
  readonly kind: Kind;
  readonly folder: string;
  /** Path of its socket. */
  readonly socket: string;
  /** The route without user and password. */
  readonly route: string;
  url(user: string, pass: string): string;
}

/** Starts one with a database `ipcm`, which is for the users given: each has the same password, and no right beyond it. */
export async function startAsking(t: TestContext, kind: Kind, users = ['bus']): Promise<AskingServer> {
  const recipe = recipes[kind];
  const folder = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: true });
  ending(t, () => stopPrivate(folder, recipe));
  const { run } = foldersOf(folder);
  const user = readServer(folder)?.user ?? '';
  if (kind === 'PostgreSQL') {
    const admin = new pg.Client({ host: run, port: 5432, user, password: rootPass, database: 'postgres' });
    await admin.connect();
    for (const name of users) await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD '${pass}'`);
    await admin.query(`CREATE DATABASE ipcm OWNER ${users[0]}`);
    await admin.end();
    const route = `dbi:Pg:dbname=ipcm;host=${run};port=5432`;
    const query = `host=${encodeURIComponent(run)}&port=5432`;
    const socket = `${run}/.s.PGSQL.5432`;
    return { kind, folder, socket, route, url: (u, p) => `postgres://${u}:${encodeURIComponent(p)}@/ipcm?${query}` };
  }
  const socket = `${run}/s`;
  const admin = await createConnection({ socketPath: socket, user: 'root' });
  for (const name of users) {
    await admin.query(`CREATE USER ${name}@localhost IDENTIFIED BY '${pass}'`);
    await admin.query(`GRANT ALL ON ipcm.* TO ${name}@localhost`);
  }
  await admin.query(`ALTER USER root@localhost IDENTIFIED BY '${rootPass}'`);
  await admin.end();
  const [scheme, driver] = kind === 'MariaDB' ? ['mariadb', 'MariaDB'] : ['mysql', 'mysql'];
  const route = `dbi:${driver}:database=ipcm;${scheme}_socket=${socket}`;
  const query = `${scheme}_socket=${encodeURIComponent(socket)}`;
  return { kind, folder, socket, route, url: (u, p) => `${scheme}://${u}:${encodeURIComponent(p)}@/ipcm?${query}` };
}
