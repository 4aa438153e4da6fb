/** A server that can be killed, and comes back with its data. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { createConnection, type Connection } from 'mariadb';
import { isAlive } from '../../src/liveness/alive.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { foldersOf, logPath, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { findPrograms, runAs } from '../../src/protocols/sql-server/private/programs.ts';
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { restricted } from '../../src/protocols/sql-server/private/watchdog.ts';
import { until } from '../../src/testing/until.ts';
import { recipes, type Kind } from './server.ts';
import { ending } from './scene.ts';

/** A server of one test. */
export class Restartable {
  readonly kind: Kind;
  readonly folder: string;
  /** Whom to connect as. */
  readonly user: string;
  #child: ChildProcess | undefined;

  private constructor(kind: Kind, folder: string) {
    this.kind = kind;
    this.folder = folder;
    this.user = readServer(folder)?.user ?? '';
  }

  /** Starts one that ends with the test. */
  static async start(t: TestContext, kind: Kind): Promise<Restartable> {
    const recipe = recipes[kind];
    // Not guarded: nobody removes its data when it dies.
    const folder = await startPrivate(`${kind} of a test`, recipe, { owner: ownIdentity(), guard: false });
    const server = new Restartable(kind, folder);
    ending(t, async () => {
      server.#child?.kill('SIGKILL');
      await stopPrivate(folder, recipe);
    });
    const first = readServer(folder)?.identity;
    assert.ok(first !== undefined);
    // In order, for once: of a server that was made a moment ago nothing is in its files yet.
    const admin = await server.connect();
    await admin.query('SET GLOBAL innodb_fast_shutdown = 1');
    await admin.query('SHUTDOWN').catch(() => undefined);
    await admin.end().catch(() => undefined);
    await until('it has ended', () => !isAlive(first), 20_000);
    server.#serve();
    await server.serves();
    return server;
  }

  get socket(): string {
    return `${foldersOf(this.folder).run}/s`;
  }

  /** The route to the database in it. */
  get route(): string {
    const [driver, key] = this.kind === 'MariaDB' ? ['MariaDB', 'mariadb_socket'] : ['mysql', 'mysql_socket'];
    return `dbi:${driver}:database=ipcm;${key}=${this.socket}`;
  }

  /** A connection of the administrator. */
  async connect(): Promise<Connection> {
    const connection = await createConnection({ socketPath: this.socket, user: this.user });
    connection.on('error', () => undefined);
    return connection;
  }

  /** Resolves when it takes connections. */
  async serves(): Promise<void> {
    const answers = async (): Promise<boolean> => {
      if (!existsSync(this.socket)) return false;
      return this.connect().then(
        (connection) => connection.end().then(() => true),
        () => false,
      );
    };
    await until('it serves', answers, 20_000);
  }

  /** Kills it, and starts it again. */
  async restart(): Promise<void> {
    const child = this.#child;
    assert.ok(child !== undefined);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    this.#serve();
  }

  #serve(): void {
    const recipe = recipes[this.kind];
    const programs = findPrograms(recipe);
    assert.ok(typeof programs !== 'string');
    const folders = foldersOf(this.folder);
    const { program, args } = recipe.serve(folders, programs);
    // What is committed is with the system, which does not crash here.
    const safe = { program, args: [...args, '--innodb-flush-log-at-trx-commit=2'] };
    const command = restricted(safe, runAs(recipe.users), 'KILL');
    assert.ok(command !== undefined);
    const log = openSync(logPath(this.folder), 'a');
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
    this.#child = spawn(command.program, command.args, { cwd: folders.run, env, stdio: ['ignore', log, log] });
    closeSync(log);
  }
}
