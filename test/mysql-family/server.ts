/** A MariaDB or MySQL server for a test file: one for all of its tests, each of which has a database of its own. */
import { createConnection, type Connection } from 'mariadb';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { foldersOf, readServer } from '../../src/protocols/sql-server/private/folder.ts';
import { noPrivateServer, startPrivate, stopPrivate } from '../../src/protocols/sql-server/private/server.ts';

/** One of the two. */
export type Kind = 'MariaDB' | 'MySQL';

/** How each is started. */
export const recipes = { MariaDB: mariadb, MySQL: mysql };

/** Why there is no such server here, if so. */
export function missing(kind: Kind): string | undefined {
  return noPrivateServer(recipes[kind]);
}

/** A server that stands for one that was there before. */
export class TestServer {
  readonly kind: Kind;
  readonly folder: string;
  readonly admin: Connection;
  #databases = 0;

  private constructor(kind: Kind, folder: string, admin: Connection) {
    this.kind = kind;
    this.folder = folder;
    this.admin = admin;
  }

  /** Starts one that ends with this process. */
  static async start(kind: Kind): Promise<TestServer> {
    // Recorded under another name, it is not taken for a store's own.
    const folder = await startPrivate(`${kind} of a test`, recipes[kind], { owner: ownIdentity(), guard: true });
    const socketPath = `${foldersOf(folder).run}/s`;
    const user = readServer(folder)?.user ?? '';
    const admin = await createConnection({ socketPath, user, bigIntAsNumber: true, multipleStatements: true });
    admin.on('error', () => undefined);
    return new TestServer(kind, folder, admin);
  }

  /** Path of the server's socket. */
  get socket(): string {
    return `${foldersOf(this.folder).run}/s`;
  }

  /** Whom to connect as. */
  get user(): string {
    return readServer(this.folder)?.user ?? '';
  }

  /** Pid of the server. */
  get pid(): number {
    return readServer(this.folder)?.identity.pid ?? 0;
  }

  /** Runs a statement as the administrator. */
  async query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.admin.query<unknown>(text, values)) as Record<string, unknown>[];
  }

  /** Makes an empty database. */
  async database(): Promise<string> {
    const name = `t${process.pid}_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return name;
  }

  /** The route to a database, by default a new one. */
  async route(database?: string): Promise<string> {
    const name = database ?? (await this.database());
    const [driver, key] = this.kind === 'MariaDB' ? ['MariaDB', 'mariadb_socket'] : ['mysql', 'mysql_socket'];
    return `dbi:${driver}:database=${name};${key}=${this.socket}`;
  }

  async stop(): Promise<void> {
    await this.admin.end();
    await stopPrivate(this.folder, recipes[this.kind]);
  }
}

/** The server of the tests, once it runs. */
export type Served = () => TestServer;
