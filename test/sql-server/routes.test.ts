/** Data source names and URLs: what is understood, what is made of it, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isIpcError } from '../../src/errors.ts';
import {
  formatSource,
  isLocalSource,
  parseRoute,
  type RouteWords,
} from '../../src/protocols/sql-server/data-source.ts';

const words: RouteWords = {
  drivers: {
    Pg: { database: ['dbname', 'db'], host: ['host'], port: ['port'], socket: [], kept: ['options'] },
    MariaDB: {
      database: ['database'],
      host: ['host'],
      port: ['port'],
      socket: ['mariadb_socket', 'mysql_socket'],
      kept: [],
    },
  },
  schemes: ['postgres', 'postgresql'],
  example: 'dbi:Pg:dbname=ipcm',
};

const understood: Readonly<Record<string, string>> = {
  'dbi:Pg:dbname=ipcm;host=/tmp/pg;port=5432': 'dbi:Pg:dbname=ipcm;host=/tmp/pg;port=5432',
  'DBI:pg:host=/tmp/pg; port = 5432; db=ipcm;': 'dbi:Pg:dbname=ipcm;host=/tmp/pg;port=5432',
  'dbi:Pg(RaiseError=>1):dbname=ipcm': 'dbi:Pg:dbname=ipcm',
  'dbi:Pg:ipcm': 'dbi:Pg:dbname=ipcm',
  "dbi:Pg:dbname='two words\\'';options='-c a=b'": "dbi:Pg:dbname='two words\\'';options='-c a=b'",
  'dbi:Pg:dbname=ipcm;user=me;password=secret': 'dbi:Pg:dbname=ipcm',
  'dbi:MariaDB:database=ipcm;mariadb_socket=/tmp/s': 'dbi:MariaDB:database=ipcm;mariadb_socket=/tmp/s',
  'dbi:MariaDB:database=ipcm;mysql_socket=/tmp/s': 'dbi:MariaDB:database=ipcm;mariadb_socket=/tmp/s',
  'postgres://me:secret@db.example:5433/ipcm': 'dbi:Pg:dbname=ipcm;host=db.example;port=5433',
  'postgresql:///ipcm?host=/tmp/pg': 'dbi:Pg:dbname=ipcm;host=/tmp/pg',
  'postgres://me:s%23%40@/ipcm?host=%2Ftmp%2Fpg&port=1': 'dbi:Pg:dbname=ipcm;host=/tmp/pg;port=1',
  'postgres://[::1]/a%20b': "dbi:Pg:dbname='a b';host=::1",
  'postgres://%2Ftmp%2Fpg/ipcm': 'dbi:Pg:dbname=ipcm;host=/tmp/pg',
};

for (const [route, canonical] of Object.entries(understood)) {
  test(`${route} is ${canonical}`, () => {
    const { source } = parseRoute(route, words, 'PostgreSQL');
    assert.equal(formatSource(source, words), canonical);
    assert.deepEqual(parseRoute(canonical, words, 'PostgreSQL').source, source, 'and is read back');
  });
}

test('user and password of a route are found', () => {
  const found = (route: string): unknown[] => {
    const { user, pass } = parseRoute(route, words, 'PostgreSQL');
    return [user, pass];
  };
  assert.deepEqual(found('postgres://me:s%23%40%3A@h/ipcm'), ['me', 's#@:']);
  assert.deepEqual(found('postgres://me@h/ipcm'), ['me', undefined]);
  assert.deepEqual(found('dbi:Pg:dbname=ipcm;user=me;password=p w'.replace('p w', "'p w'")), ['me', 'p w']);
});

const refused: readonly unknown[] = [
  '',
  undefined,
  42,
  'nonsense',
  '/tmp/store',
  'dbi:',
  'dbi:Oracle:sid=x',
  'dbi:Pg',
  'dbi:Pg:dbname=ipcm;port=0',
  'dbi:Pg:dbname=ipcm;port=65536',
  'dbi:Pg:dbname=ipcm;port=5432x',
  'dbi:Pg:dbname=ipcm;color=red',
  'dbi:Pg:dbname=a;dbname=b',
  'dbi:Pg:dbname=a;password=secret;color',
  "dbi:Pg:dbname=a;password='secret",
  'dbi:Pg:dbname=a\0b;password=secret',
  'dbi:Pg:dbname=a\n;password=secret',
  `dbi:Pg:dbname=ipcm;host=/${'x'.repeat(100)}`,
  'dbi:MariaDB:database=ipcm;mariadb_socket=relative',
  `dbi:MariaDB:database=ipcm;mariadb_socket=/${'x'.repeat(107)}`,
  'mysql://me:secret@h/ipcm',
  'postgres://me:secret@h:port/ipcm',
  'postgres://me:secret#@h/ipcm',
  'postgres://me:sec/ret@h/ipcm',
  'postgres://me:%secret@h/ipcm',
  'postgres://me:secret@h/ipcm?color=red',
  'postgres://me:secret@h/a%3Bb',
];

for (const route of refused) {
  test(`${JSON.stringify(route)?.slice(0, 60)} is refused, with the remedy and without the password`, () => {
    try {
      parseRoute(route, words, 'PostgreSQL');
    } catch (error) {
      assert.ok(isIpcError(error, 'IPCM_ROUTE_INVALID'), String(error));
      assert.match(error.message, /such as dbi:Pg:dbname=ipcm/);
      assert.doesNotMatch(error.message, /secret|sec\/ret/);
      return;
    }
    assert.fail('it was understood');
  });
}

test('what is on this machine is known to be', () => {
  const isLocal = (route: string): boolean => isLocalSource(parseRoute(route, words, 'PostgreSQL').source);
  assert.ok(isLocal('dbi:Pg:ipcm') && isLocal('dbi:Pg:host=/tmp') && isLocal('postgres://127.0.0.1/x'));
  assert.ok(isLocal('dbi:MariaDB:database=x;mariadb_socket=/s') && !isLocal('postgres://db.example/x'));
});
