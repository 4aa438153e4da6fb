/** A PostgreSQL server for a test file: one for all of its tests, each of which has a schema of its own. */
import pg from 'pg';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe } from '../../src/protocols/postgresql/recipe.ts';
import { words } from '../../src/protocols/postgresql/words.ts';
import { formatSource } from '../../src/protocols/sql-server/data-source.ts';
import { foldersOf, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';

/** A server that stands for one that was there before. */
export class TestServer {
  readonly kind = 'PostgreSQL';
  readonly folder: string;
  readonly #admin: pg.Client;
  #schemas = 0;

  private constructor(folder: string, admin: pg.Client) {
    this.folder = folder;
    this.#admin = admin;
  }

  /** Starts one that ends with this process. */
  static async start(): Promise<TestServer> {
    // Recorded under another name, it is not taken for a store's own.
    const folder = await startPrivate('PostgreSQL of a test', recipe, { owner: ownIdentity(), guard: true });
    const admin = new pg.Client(TestServer.settings(folder));
    await admin.connect();
    admin.on('error', () => undefined);
    return new TestServer(folder, admin);
  }

  static settings(folder: string): pg.ClientConfig {
    const { host, port, database } = recipe.source(foldersOf(folder));
    return { ...(host === undefined ? {} : { host }), port: port ?? 5432, database, user: readServer(folder)?.user };
  }

  /** Settings for a client of the driver. */
  get settings(): pg.ClientConfig {
    return TestServer.settings(this.folder);
  }

  /** Path of its socket. */
  get socket(): string {
    const { host, port } = recipe.source(foldersOf(this.folder));
    return `${host}/.s.PGSQL.${port}`;
  }

  /** Pid of the server. */
  get pid(): number {
    return readServer(this.folder)?.identity.pid ?? 0;
  }

  /** Runs a statement as the administrator. */
  async query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.#admin.query<Record<string, unknown>>(text, values)).rows;
  }

  /** The route to a new schema. */
  async route(): Promise<string> {
    const schema = `t${process.pid}_${++this.#schemas}`;
    await this.query(`CREATE SCHEMA ${schema}`);
    return formatSource(
      { ...recipe.source(foldersOf(this.folder)), kept: { options: `-c search_path=${schema}` } },
      words,
    );
  }

  async stop(): Promise<void> {
    await this.#admin.end();
    await stopPrivate(this.folder, recipe);
  }
}
