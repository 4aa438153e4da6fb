/**
 * The library that speaks to MariaDB and MySQL, `mariadb`, by the shape of what is used of it.
 *
 * It was chosen over mysql2 since it sends the next statement before the last one is answered: a batch, with its BEGIN, its
 * mark and its COMMIT, is one way to the server and back instead of four. As prepared statements, which cost a server half of
 * what the same text does, no other way to make a transaction of several is as fast. Both libraries speak to both servers.
 */
import type { Duplex } from 'node:stream';

/** What a statement that returns no rows answers. */
export interface DriverOutcome {
  readonly affectedRows: number;
}

/** A prepared statement. */
export interface DriverStatement {
  execute(values: readonly unknown[]): Promise<unknown>;
  close(): unknown;
}

/** A connection of the library. */
export interface DriverConnection {
  query(sql: string): Promise<unknown>;
  execute(sql: string, values: readonly unknown[]): Promise<unknown>;
  prepare(sql: string): Promise<DriverStatement>;
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown;
  end(): Promise<void>;
}

/** Settings of a connection, as far as they are used here. */
export interface DriverSettings {
  readonly [name: string]: unknown;
  readonly stream: () => Duplex;
  readonly database: string | undefined;
}

/** The library. */
export interface Driver {
  createConnection(settings: DriverSettings): Promise<DriverConnection>;
}

const packageName = 'mariadb';

/** Loads the library. */
export async function loadDriver(): Promise<Driver> {
  const loaded = (await import(packageName)) as { default?: Driver } & Partial<Driver>;
  const driver = loaded.createConnection === undefined ? loaded.default : (loaded as Driver);
  if (driver === undefined) throw new TypeError(`the package ${packageName} has no createConnection`);
  return driver;
}

/** Why the library cannot be loaded, if so. Cheap: it is looked for only. */
export function driverMissing(): string | undefined {
  try {
    import.meta.resolve(packageName);
    return undefined;
  } catch {
    // What it says names files; what is to be done is the same for all of its reasons.
    return `the package ${packageName} is not installed; npm install ${packageName}`;
  }
}

/** An error of the library. */
export interface DriverError extends Error {
  readonly errno: number;
  readonly code: string | null;
  readonly fatal: boolean;
  readonly sqlMessage?: string;
  readonly sql?: string;
}

/** The error as one of the library's; undefined for any other. */
export function driverError(error: unknown): DriverError | undefined {
  if (!(error instanceof Error) || !('fatal' in error)) return undefined;
  return error as DriverError;
}
