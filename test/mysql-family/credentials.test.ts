/** Whom to connect as unless told: the option file, and `MYSQL_PWD`. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { test, type TestContext } from 'node:test';
import { defaultPass, defaultUser } from '../../src/protocols/mysql-family/credentials.ts';
import { optionFile } from '../../src/protocols/mysql-family/option-file.ts';
import { setVariable } from '../sql-server/environment.ts';

const groups = ['client', 'client-mariadb'];

/** A home with an option file; its path. */
function home(t: TestContext, text: string, mode = 0o600): string {
  const folder = mkdtempSync('/tmp/ipcm-test-');
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = `${folder}/.my.cnf`;
  writeFileSync(path, text);
  // Whatever the umask is.
  chmodSync(path, mode);
  setVariable(t, 'HOME', folder);
  setVariable(t, 'MYSQL_PWD', undefined);
  return path;
}

/** By the text in the file, what MariaDB's `my_print_defaults` makes of it. */
const values: Readonly<Record<string, string>> = {
  plain: 'plain',
  '  spaces around \t': 'spaces around',
  'me   # a comment': 'me',
  'a#b': 'a',
  'x;y': 'x;y',
  '"a#b\'c;d"  ': "a#b'c;d",
  '"ab"#c': 'ab',
  "'it\\'s'": "it's",
  '"q\\"r"': 'q"r',
  'a\\sb\\\\c\\td': 'a b\\c\td',
  'a\\qb': 'a\\qb',
  '"open': '"open',
  "'x' y": "'x' y",
  "''": '',
  '': '',
};

test('values of ~/.my.cnf are read as the tools of the databases read them', (t) => {
  const path = home(t, '');
  for (const [text, value] of Object.entries(values)) {
    for (const end of ['\n', '\r\n', '']) {
      writeFileSync(path, `[client]\npassword =${text}${end}`);
      assert.equal(optionFile(groups).get('password'), value, JSON.stringify(text + end));
    }
  }
});

test('of ~/.my.cnf the groups of the clients count, of those the last, and no comment', (t) => {
  home(
    t,
    [
      'user=of no group',
      '[mysqld]',
      'user=server',
      '[client] # a comment',
      '# user=commented',
      '; user=commented',
      '#password=commented',
      'user=first',
      'password=first',
      '[mysqldump]',
      'password=dump',
      '[client-mariadb]',
      'user=second',
      '[ client ]',
      'user=not the group',
    ].join('\n'),
  );
  assert.equal(defaultUser(groups), 'second');
  assert.equal(defaultUser(['client']), 'first');
  assert.equal(defaultPass(groups, 'second'), 'first');
});

test("the password of ~/.my.cnf goes to that file's user alone; MYSQL_PWD goes before it, to all", (t) => {
  home(t, '[client]\nuser=me\npassword=secret\n');
  assert.equal(defaultPass(groups, 'me'), 'secret');
  assert.equal(defaultPass(groups, 'you'), undefined);
  setVariable(t, 'MYSQL_PWD', 'given');
  assert.equal(defaultPass(groups, 'me'), 'given');
  assert.equal(defaultPass(groups, 'you'), 'given');
});

test('a password without a user in ~/.my.cnf is of who runs the process', (t) => {
  home(t, '[client]\npassword=secret\n');
  const { username } = userInfo();
  assert.equal(defaultUser(groups), username);
  assert.equal(defaultPass(groups, username), 'secret');
  assert.equal(defaultPass(groups, 'you'), undefined);
});

test('a ~/.my.cnf that everybody can write is not looked at, one that others can read is', (t) => {
  const path = home(t, '[client]\nuser=me\npassword=secret\n', 0o644);
  assert.equal(defaultUser(groups), 'me');
  chmodSync(path, 0o646);
  assert.equal(defaultUser(groups), userInfo().username);
  assert.equal(defaultPass(groups, 'me'), undefined);
  rmSync(path);
  assert.equal(defaultUser(groups), userInfo().username);
});
