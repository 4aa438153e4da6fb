/** A private MariaDB server. */
import { databaseName, lean } from '../mysql-family/lean.ts';
import type { Recipe } from '../sql-server/private/recipe.ts';

const settings = [
  ...lean,
  '--innodb-log-file-size=64M',
  '--innodb-data-file-path=ibdata1:5M:autoextend',
  '--innodb-temp-data-file-path=ibtmp1:1M:autoextend',
  '--innodb-undo-tablespaces=0',
  '--innodb-fast-shutdown=2',
  '--sync-binlog=0',
  '--aria-pagecache-buffer-size=1M',
  '--collation-server=utf8mb4_nopad_bin',
  // The tables of users would take four times as long to make as all else. Whoever gets to the socket is the user that the data
  // belongs to, or root, and could read it anyway.
  '--skip-grant-tables',
];

/** How it is started. */
export const recipe: Recipe = {
  package: 'the package mariadb-server',
  programs: { server: ['mariadbd', 'mysqld'], mkdir: ['mkdir'] },
  accepts: { server: /MariaDB/i },
  places: [],
  users: ['mysql'],
  // A database is a directory.
  prepare: ({ data }, { mkdir = 'mkdir' }) => [{ program: mkdir, args: ['-m', '0700', `${data}/${databaseName}`] }],
  serve: ({ data, run }, { server = 'mariadbd' }) => ({
    program: server,
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${run}/s`,
      `--pid-file=${run}/server.pid`,
      `--tmpdir=${run}`,
      ...settings,
    ],
  }),
  ready: /ready for connections/,
  stop: 'SIGKILL',
  source: ({ run }) => ({
    driver: 'MariaDB',
    database: databaseName,
    host: undefined,
    port: undefined,
    socket: `${run}/s`,
    kept: {},
  }),
};
