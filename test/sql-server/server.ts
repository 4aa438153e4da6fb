/** A database server for a test, of whichever kind. */
import { recipe as mariadb } from '../../src/protocols/mariadb/recipe.ts';
import { recipe as mysql } from '../../src/protocols/mysql/recipe.ts';
import { recipe as postgresql } from '../../src/protocols/postgresql/recipe.ts';
import type { Recipe } from '../../src/protocols/sql-server/private/recipe.ts';
import { TestServer as FamilyServer } from '../mysql-family/server.ts';
import { TestServer as PostgresqlServer } from '../postgresql/server.ts';

/** One of the three. */
export type Kind = 'PostgreSQL' | 'MariaDB' | 'MySQL';

/** How each is started. */
export const recipes: Readonly<Record<Kind, Recipe>> = { PostgreSQL: postgresql, MariaDB: mariadb, MySQL: mysql };

/** A server that stands for one that was there before. */
export interface TestServer {
  readonly kind: Kind;
  readonly folder: string;
  /** Pid of the server. */
  readonly pid: number;
  /** Path of its socket. */
  readonly socket: string;
  /** The route to a new, empty place for tables. */
  route(): Promise<string>;
  /** Runs a statement as the administrator. */
  query(text: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** The server of the tests, once it runs. */
export type Served = () => TestServer;

/** Starts one that ends with this process. */
export function startServer(kind: Kind): Promise<TestServer> {
  return kind === 'PostgreSQL' ? PostgresqlServer.start() : FamilyServer.start(kind);
}

/** What the tables of a route are named by: a schema, or a database. */
export function schemaOf(route: string): string {
  return /(?:search_path|database)=(\w+)/.exec(route)?.[1] ?? '';
}
