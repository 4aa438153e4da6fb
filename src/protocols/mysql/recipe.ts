/** A private MySQL server. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { databaseName, lean } from '../mysql-family/lean.ts';
import type { Recipe } from '../sql-server/private/recipe.ts';

const settings = [
  ...lean,
  '--innodb-redo-log-capacity=64M',
  '--innodb-data-file-path=ibdata1:12M:autoextend',
  '--innodb-temp-data-file-path=ibtmp1:12M:autoextend',
  '--innodb-use-native-aio=0',
  '--table-open-cache=256',
  '--table-definition-cache=400',
  '--secure-file-priv=',
  '--mysqlx=OFF',
  '--collation-server=utf8mb4_0900_bin',
  // On stderr: some builds would rather have it in a file.
  '--console',
];

/** Where the server's own files are, if it lies beside them and not where it was built for. */
function base(server: string): string[] {
  const folder = dirname(server);
  if (!existsSync(`${folder}/share/english/errmsg.sys`)) return [];
  const share = `${folder}/share`;
  return [`--basedir=${folder}`, `--lc-messages-dir=${share}`, `--character-sets-dir=${share}/charsets`];
}

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** The database, and the administrator where that is not root. One statement a line. */
function first(user: string): string {
  const name = `${quoted(user)}@'localhost'`;
  const lines = [`CREATE DATABASE ${databaseName};`];
  if (user !== 'root') lines.push(`CREATE USER ${name};`, `GRANT ALL ON *.* TO ${name} WITH GRANT OPTION;`);
  return `${lines.join('\n')}\n`;
}

/** How it is started. */
export const recipe: Recipe = {
  package: "Oracle's mysql-server",
  programs: { server: ['mysqld'], sh: ['sh'] },
  // On many systems `mysqld` is MariaDB.
  accepts: { server: /\bMySQL\b|mysqld\s+Ver (?!.*MariaDB)/ },
  places: ['/usr/local/mysql/bin'],
  users: ['mysql'],
  prepare: ({ data, run }, { server = 'mysqld', sh = 'sh' }, user) => [
    { program: sh, args: ['-c', 'printf %s "$1" >"$2"', sh, first(user), `${run}/first.sql`] },
    {
      program: server,
      args: [
        '--no-defaults',
        '--initialize-insecure',
        `--init-file=${run}/first.sql`,
        `--datadir=${data}`,
        ...base(server),
        ...settings,
        // With 2 it makes a folder that it cannot use.
        '--innodb-fast-shutdown=1',
      ],
    },
  ],
  serve: ({ data, run }, { server = 'mysqld' }) => ({
    program: server,
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      ...base(server),
      `--socket=${run}/s`,
      `--pid-file=${run}/server.pid`,
      `--tmpdir=${run}`,
      ...settings,
      '--log-error-verbosity=3',
      '--auto-generate-certs=OFF',
      '--caching-sha2-password-auto-generate-rsa-keys=OFF',
    ],
  }),
  ready: /ready for connections/,
  // In order takes it a second.
  stop: 'SIGKILL',
  source: ({ run }) => ({
    driver: 'mysql',
    database: databaseName,
    host: undefined,
    port: undefined,
    socket: `${run}/s`,
    kept: {},
  }),
};
