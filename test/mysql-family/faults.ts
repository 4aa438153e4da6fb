/** Faults of the way to the server, and of the server: connections cut, locks held, deadlocks, a crash. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection, type Connection } from 'mariadb';
import { isAlive } from '../../src/liveness/alive.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { foldersOf, logPath, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { findPrograms, runAs } from '../../src/protocols/sql-server/private/programs.ts';
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { restricted } from '../../src/protocols/sql-server/private/watchdog.ts';
import { until } from '../../src/testing/until.ts';
import type { Served, TestServer } from './server.ts';
import { bus, client, databaseOf, ending, take, upTo } from './scene.ts';

/** Another connection of the administrator. */
async function second(t: TestContext, { socket, user }: TestServer, database: string): Promise<Connection> {
  const connection = await createConnection({ socketPath: socket, user, database, bigIntAsNumber: true });
  ending(t, () => connection.end());
  return connection;
}

async function killAll(server: TestServer, database: string): Promise<number> {
  const found = await server.query('SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = ?', [database]);
  for (const { id } of found) await server.query(`KILL ${String(id)}`).catch(() => undefined);
  return found.length;
}

/** Tests of faults. */
export function faultTests(served: Served): void {
  test('connections that are killed again and again in mid-traffic cost no message, and double none', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const database = databaseOf(made);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const count = 3000;
    let over = false;
    let cuts = 0;
    const cutting = (async () => {
      while (!over) {
        cuts += await killAll(server, database);
        await sleep(30);
      }
    })();
    const sending = (async () => {
      for (let at = 0; at < count; at += 20) await Promise.all(upTo(20).map((n) => a.sendMessage('b', at + n)));
    })();
    const found = await take(b, count, 60_000);
    await sending;
    over = true;
    await cutting;
    assert.ok(cuts > 3, `${cuts} connections were cut`);
    assert.deepEqual(
      found.map(({ content }) => content),
      upTo(count),
    );
    assert.deepEqual(await b.getMessages(), []);
  });

  test('a lock that others hold is waited for, and beyond lockTimeout is an error that says so', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const other = await second(t, server, databaseOf(made));
    const b = await client(t, made, 'b');
    const patient = await client(t, made, 'patient');
    const hasty = await client(t, made, 'hasty', { protocolOptions: { lockTimeout: 1 } });
    await other.query('BEGIN');
    await other.query("SELECT * FROM ipcm_peers WHERE id = 'b' FOR UPDATE");
    await assert.rejects(async () => hasty.sendMessage('b', 'hasty'), {
      code: 'IPCM_STORE_FAILED',
      message: /lockTimeout/,
    });
    const sent = patient.sendMessage('b', 'patient');
    // Longer than the server itself waits: once it has given up, and it was tried again.
    await sleep(1500);
    await other.query('ROLLBACK');
    await sent;
    assert.deepEqual(
      (await take(b, 1)).map(({ content }) => content),
      ['patient'],
    );
  });

  test('of a deadlock the part that was broken off is done again', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const database = databaseOf(made);
    const other = await second(t, server, database);
    const a = await client(t, made, 'a');
    await client(t, made, 'b').then((b) => b.suspend());
    await a.sendMessage('b', 'lost');
    await server.query(`USE ${database}`);
    // As one that died: whoever takes the name locks the row, and then removes what waits.
    await server.query("UPDATE ipcm_peers SET pid = 99999999, active = 1, ipcm_process = NULL WHERE id = 'b'");
    await other.query('BEGIN');
    // The server breaks off who has changed less.
    await other.query(
      'INSERT INTO ipcm_reaped (name, lost) SELECT UUID(), 0 FROM information_schema.COLUMNS LIMIT 500',
    );
    await other.query("UPDATE ipcm_messages SET broadcast = 1 WHERE `to` = 'b'");
    const coming = client(t, made, 'b');
    // In information_schema.INNODB_TRX nothing is new while somebody asks ten times a second.
    const waits =
      "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE 'DELETE FROM ipcm_messages%'";
    await until('it waits', async () => Number((await server.query(waits, [database]))[0]?.['n']) > 0);
    await other.query("UPDATE ipcm_peers SET stats = NULL WHERE id = 'b'");
    await other.query('COMMIT');
    const b = await coming;
    await a.sendMessage('b', 'new');
    assert.equal((await take(b, 1))[0]?.content, 'new');
  });

  test('eight processes that make the tables at once all come out right', async (t) => {
    const server = served();
    const database = await server.database();
    const route = await server.route(database);
    const children = upTo(8).map(() => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), server.kind, route], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      ending(t, () => child.kill('SIGKILL'));
      return child;
    });
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    assert.deepEqual(
      codes,
      upTo(8).map(() => 0),
    );
  });

  test('a server that is killed and comes back costs nobody a message', async (t) => {
    const { kind } = served();
    const recipe = kind === 'MariaDB' ? mariadb : mysql;
    // Not guarded: nobody removes its data when it dies.
    const folder = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: false });
    const folders = foldersOf(folder);
    let child: ReturnType<typeof spawn> | undefined;
    ending(t, async () => {
      child?.kill('SIGKILL');
      await stopPrivate(folder, recipe);
    });
    const socket = `${folders.run}/s`;
    const user = readServer(folder)?.user ?? '';
    const first = readServer(folder)?.identity;
    assert.ok(first !== undefined);
    // In order, for once: of a server that was made a moment ago nothing is in its files yet.
    const admin = await createConnection({ socketPath: socket, user });
    admin.on('error', () => undefined);
    await admin.query('SET GLOBAL innodb_fast_shutdown = 1');
    await admin.query('SHUTDOWN').catch(() => undefined);
    await admin.end().catch(() => undefined);
    await until('it has ended', () => !isAlive(first), 20_000);
    const kill = async (): Promise<void> => {
      if (child === undefined) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    };
    const start = (): void => {
      const programs = findPrograms(recipe);
      assert.ok(typeof programs !== 'string');
      const { program, args } = recipe.serve(folders, programs);
      // What is committed is with the system, which does not crash here.
      const safe = { program, args: [...args, '--innodb-flush-log-at-trx-commit=2'] };
      const command = restricted(safe, runAs(recipe.users), 'KILL');
      assert.ok(command !== undefined);
      const log = openSync(logPath(folder), 'a');
      const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
      child = spawn(command.program, command.args, { cwd: folders.run, env, stdio: ['ignore', log, log] });
      closeSync(log);
    };
    start();
    await until(
      'it serves',
      async () => {
        if (!existsSync(socket)) return false;
        return createConnection({ socketPath: socket, user }).then(
          (connection) => connection.end().then(() => true),
          () => false,
        );
      },
      20_000,
    );
    const [driver, key] = kind === 'MariaDB' ? ['MariaDB', 'mariadb_socket'] : ['mysql', 'mysql_socket'];
    const made = await bus(t, served, { route: `dbi:${driver}:database=ipcm;${key}=${socket}`, user });
    const [a, b] = [await client(t, made, 'a', { user }), await client(t, made, 'b', { user })];
    const count = 2000;
    const arrived = take(b, count, 60_000);
    for (let at = 0; at < count; at += 20) {
      if (at === 600 || at === 1200) {
        await kill();
        start();
      }
      await Promise.all(upTo(20).map((n) => a.sendMessage('b', at + n)));
    }
    assert.deepEqual(
      (await arrived).map(({ content }) => content),
      upTo(count),
    );
    await a.disconnect();
    await b.disconnect();
    await made.unspawn();
  });
}
