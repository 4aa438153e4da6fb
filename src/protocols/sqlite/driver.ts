/**
 * The two libraries that speak SQLite, seen as one: `node:sqlite` and better-sqlite3. Only what both have is used, by its
 * shape; what they call differently (errors, the file's path) is put into one form here.
 */
import { isBuiltin } from 'node:module';

/** A prepared statement. */
export interface SqliteStatement {
  run(...values: unknown[]): { readonly changes: number | bigint };
  all(...values: unknown[]): unknown[];
}

/** An open database: `DatabaseSync` of node:sqlite, or `Database` of better-sqlite3. */
export interface SqliteHandle {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
}

/** True for what can be used as a database. */
export function isHandle(value: unknown): value is SqliteHandle {
  if (typeof value !== 'object' || value === null) return false;
  const { prepare, exec, close } = value as Partial<Record<string, unknown>>;
  return typeof prepare === 'function' && typeof exec === 'function' && typeof close === 'function';
}

/** The file of a handle; undefined for a database in memory, or where the library does not tell. */
export function fileOf(handle: SqliteHandle): string | undefined {
  const { location, name } = handle as { location?: unknown; name?: unknown };
  // node:sqlite from 22.16 has location(); better-sqlite3 has the name that it was opened with.
  const file: unknown = typeof location === 'function' ? (location as () => unknown).call(handle) : name;
  return typeof file === 'string' && file !== '' && file !== ':memory:' ? file : undefined;
}

/** True when the caller is in the middle of a transaction on this handle. */
export function isInTransaction(handle: SqliteHandle): boolean {
  const { isTransaction, inTransaction } = handle as { isTransaction?: unknown; inTransaction?: unknown };
  return (isTransaction ?? inTransaction) === true;
}

/** True when this runtime has node:sqlite: asking does not load it. */
export function hasBuiltin(): boolean {
  return isBuiltin('node:sqlite');
}

/**
 * How to open a file, which has to be there. Foreign keys are declared, and not enforced on what we write: every insert looks
 * at the receiver's row itself, and no row that is referred to is ever deleted.
 */
export async function opener(): Promise<(path: string) => SqliteHandle> {
  const { DatabaseSync } = await import('node:sqlite');
  return (path) => new DatabaseSync(path, { enableForeignKeyConstraints: false });
}

let cuts: boolean | undefined;

/** True where node:sqlite reads text up to its first null byte only, as it does in Node 22. */
export async function cutsAtNul(): Promise<boolean> {
  if (!hasBuiltin()) return false;
  if (cuts === undefined) {
    const { DatabaseSync } = await import('node:sqlite');
    const memory = new DatabaseSync(':memory:');
    cuts = memory.prepare('SELECT ? AS text').get('a\0b')?.['text'] !== 'a\0b';
    memory.close();
  }
  return cuts;
}

/** Result codes (sqlite.org/rescode.html): the primary ones that mean something to us. */
export const codes = {
  error: 1,
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  protocol: 15,
  toobig: 18,
  constraint: 19,
  notadb: 26,
} as const;

const primaryByName = new Map<string, number>(
  Object.entries(codes).map(([name, code]) => [`SQLITE_${name.toUpperCase()}`, code]),
);

/** The primary result code of an error of either library; undefined for any other error. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  if (typeof code !== 'string') return undefined;
  const [primary] = /^SQLITE_[A-Z]+/.exec(code) ?? [];
  return primary === undefined ? undefined : primaryByName.get(primary);
}

/** True when somebody else has the lock, or the caller is in the middle of something of their own: to be tried again. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  if (code === codes.busy || code === codes.locked || code === codes.protocol) return true;
  return code === codes.error && error instanceof Error && /within a transaction/.test(error.message);
}
