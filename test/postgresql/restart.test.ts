/** A server that is stopped and started again under traffic. */
import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { isAlive } from '../../src/liveness/alive.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import { recipe } from '../../src/protocols/postgresql/recipe.ts';
import { words } from '../../src/protocols/postgresql/words.ts';
import { formatSource } from '../../src/protocols/sql-server/data-source.ts';
import { foldersOf, logPath, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { findPrograms, runAs } from '../../src/protocols/sql-server/private/programs.ts';
import { noPrivateServer, startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { restricted } from '../../src/protocols/sql-server/private/watchdog.ts';
import { until } from '../../src/testing/until.ts';
import { TestServer } from './server.ts';

const skip = noPrivateServer(recipe) ?? false;

test('a server that is stopped and started again under two senders and a reader', { skip }, async (t) => {
  // Not guarded: nobody removes its data when it ends.
  const folder = await startPrivate('PostgreSQL of a test', recipe, { owner: ownIdentity(), guard: false });
  let child: ChildProcess | undefined;
  t.after(async () => {
    child?.kill('SIGQUIT');
    await stopPrivate(folder, recipe);
  });
  const folders = foldersOf(folder);
  const first = readServer(folder)?.identity;
  assert.ok(first !== undefined);
  const serve = (): ChildProcess => {
    const programs = findPrograms(recipe);
    assert.ok(typeof programs !== 'string');
    const command = restricted(recipe.serve(folders, programs), runAs(recipe.users), 'QUIT');
    assert.ok(command !== undefined);
    const log = openSync(logPath(folder), 'a');
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
    const started = spawn(command.program, command.args, { cwd: folders.run, env, stdio: ['ignore', log, log] });
    closeSync(log);
    return started;
  };
  const serves = (): Promise<boolean> => {
    const admin = new pg.Client(TestServer.settings(folder));
    admin.on('error', () => undefined);
    return admin.connect().then(
      () => admin.end().then(() => true),
      () => false,
    );
  };
  // SIGINT: ends all sessions at once, in order.
  process.kill(first.pid, 'SIGINT');
  await until('it has ended', () => !isAlive(first), 20_000);
  child = serve();
  await until('it serves', serves, 20_000);

  const route = formatSource({ ...recipe.source(folders), kept: {} }, words);
  const user = readServer(folder)?.user;
  const bus = await ipcmSpawn({
    protocol,
    route,
    guard: false,
    serializer: 'JSON',
    ...(user === undefined ? {} : { user }),
  });
  const senders = ['s1', 's2'].map((name) => {
    const sender = fork(join(import.meta.dirname, 'sender.ts'), [bus.info, name, '2000'], {
      env: { ...process.env, ...(user === undefined ? {} : { PGUSER: user }) },
    });
    t.after(() => sender.kill('SIGKILL'));
    return sender;
  });
  const reader = await ipcmConnect('reader', bus.info, { protocol, ...(user === undefined ? {} : { user }) });
  for (const sender of senders) await once(sender, 'message');
  for (const sender of senders) sender.send('go');
  const next = new Map([
    ['s1', 0],
    ['s2', 0],
  ]);
  let count = 0;
  let restarting: Promise<void> | undefined;
  const restart = async (): Promise<void> => {
    const old = child;
    assert.ok(old !== undefined);
    const ended = once(old, 'exit');
    old.kill('SIGINT');
    await ended;
    child = serve();
  };
  for await (const { from, content } of reader.messages({ timeout: 30_000 })) {
    assert.equal(content, next.get(from), `what ${from} sent`);
    next.set(from, Number(content) + 1);
    if (++count === 500) restarting = restart();
    if (count === 4000) break;
  }
  assert.equal(count, 4000);
  await restarting;
  for (const sender of senders) if (sender.exitCode === null) await once(sender, 'exit');
  assert.deepEqual(
    senders.map(({ exitCode }) => exitCode),
    [0, 0],
  );
  await reader.disconnect();
});
