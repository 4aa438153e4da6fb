/** A server that can be stopped or killed, and comes back with its data. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { createConnection, type Connection } from 'mariadb';
import pg from 'pg';
import { isAlive } from '../../src/liveness/alive.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { foldersOf, logPath, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { findPrograms, runAs } from '../../src/protocols/sql-server/private/programs.ts';
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';
import { restricted } from '../../src/protocols/sql-server/private/watchdog.ts';
import { until } from '../../src/testing/until.ts';
import { TestServer as PostgresqlServer } from '../postgresql/server.ts';
import { ending } from './ending.ts';
import { recipes, type Kind } from './server.ts';

/** Ends all sessions at once, and then the server in order. */
const orderly: Readonly<Record<Kind, NodeJS.Signals>> = {
  PostgreSQL: 'SIGINT',
  MariaDB: 'SIGTERM',
  MySQL: 'SIGTERM',
};

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
      server.#child?.kill(recipe.stop);
      await stopPrivate(folder, recipe);
    });
    const first = readServer(folder)?.identity;
    assert.ok(first !== undefined);
    if (kind !== 'PostgreSQL') {
      // In order, for once: of a server that was made a moment ago nothing is in its files yet.
      const admin = await server.connect();
      await admin.query('SET GLOBAL innodb_fast_shutdown = 1');
      await admin.end();
    }
    process.kill(first.pid, orderly[kind]);
    await until('it has ended', () => !isAlive(first), 60_000);
    server.#serve();
    await server.serves();
    return server;
  }

  /** The route to the database in it. */
  get route(): string {
    if (this.kind === 'PostgreSQL') return `dbi:Pg:dbname=postgres;host=${foldersOf(this.folder).run};port=5432`;
    const [driver, key] = this.kind === 'MariaDB' ? ['MariaDB', 'mariadb_socket'] : ['mysql', 'mysql_socket'];
    return `dbi:${driver}:database=ipcm;${key}=${this.#socket}`;
  }

  get #socket(): string {
    return `${foldersOf(this.folder).run}/s`;
  }

  /** A connection of the administrator of MariaDB or MySQL. */
  async connect(): Promise<Connection> {
    const connection = await createConnection({ socketPath: this.#socket, user: this.user });
    connection.on('error', () => undefined);
    return connection;
  }

  /** Resolves when it takes connections. */
  async serves(): Promise<void> {
    const answers = async (): Promise<void> => {
      if (this.kind === 'PostgreSQL') {
        const admin = new pg.Client(PostgresqlServer.settings(this.folder));
        admin.on('error', () => undefined);
        await admin.connect();
        return admin.end();
      }
      // The library would wait for a socket that is not there.
      if (!existsSync(this.#socket)) throw new Error('there is no socket');
      return (await this.connect()).end();
    };
    const succeeds = (): Promise<boolean> =>
      answers().then(
        () => true,
        () => false,
      );
    await until('it serves', succeeds, 60_000);
  }

  /** Stops it in order, and starts it again. */
  restart(): Promise<void> {
    return this.#again(orderly[this.kind]);
  }

  /** Kills it, and starts it again. */
  crash(): Promise<void> {
    return this.#again('SIGKILL');
  }

  async #again(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    assert.ok(child !== undefined);
    const ended = once(child, 'exit');
    child.kill(signal);
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
    const safe = this.kind === 'PostgreSQL' ? args : [...args, '--innodb-flush-log-at-trx-commit=2'];
    const command = restricted(
      { program, args: safe },
      runAs(recipe.users),
      this.kind === 'PostgreSQL' ? 'QUIT' : 'KILL',
    );
    assert.ok(command !== undefined);
    const log = openSync(logPath(this.folder), 'a');
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
    this.#child = spawn(command.program, command.args, { cwd: folders.run, env, stdio: ['ignore', log, log] });
    closeSync(log);
  }
}
