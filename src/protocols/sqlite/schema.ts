/** The tables: those of the wire in the reference implementation's own words, and what we add to them. */
import type { Statement, Work } from '../sql/query.ts';
import { makeStatements, type Flavour } from '../sql/statements.ts';

const flavour: Flavour = {
  quote: (name) => `"${name}"`,
  value: () => '?',
  same: (column) => `${column} IS ?`,
  // Every table has one unless it asks for none. It is greater than all others when a row comes.
  arrival: 'rowid',
  orNothing: 'ON CONFLICT (id) DO NOTHING',
  text: (column) => column,
  // Left to itself the planner reads the rows of all who ever were.
  peersHere: 'ipcm_peers INDEXED BY ipcm_peers_here',
  // Of a blob it is known without reading it.
  bytes: (column) => `length(${column})`,
};

/** The statements of the shared client in SQLite's words. */
export const statements = makeStatements(flavour);

/** The same for a library that cuts text at a null byte: names are then read as bytes. */
export const statementsByBytes = makeStatements({ ...flavour, text: (column) => `CAST(${column} AS BLOB)` });

const change = (text: string): Statement => ({ text, rows: false });
const rows = (text: string): Statement => ({ text, rows: true });

const wire = [
  "CREATE TABLE IF NOT EXISTS ipcm_peers(`id` VARCHAR(512) NOT NULL PRIMARY KEY, `pid` INTEGER DEFAULT NULL, `active` REAL DEFAULT (strftime('%s', 'now')), `stats` BLOB DEFAULT NULL, `suspend_expires` REAL DEFAULT NULL)",
  'CREATE TABLE IF NOT EXISTS ipcm_messages(`id` UUID NOT NULL PRIMARY KEY, `to` VARCHAR(512) NOT NULL REFERENCES ipcm_peers(id) ON DELETE CASCADE, `from` VARCHAR(512) NOT NULL REFERENCES ipcm_peers(id) ON DELETE CASCADE, `stamp` REAL NOT NULL, `content` BLOB NOT NULL, `broadcast` BOOL NOT NULL DEFAULT 0)',
].map(change);

const columns = [
  ['ipcm_peers', 'ipcm_process', 'TEXT'],
  ['ipcm_peers', 'ipcm_since', 'REAL'],
  ['ipcm_messages', 'ipcm_turn', 'INTEGER'],
] as const;

const column = rows('SELECT 1 FROM pragma_table_info(?) WHERE name = ?');

/** Made last: where it is, everything is. */
const marker = 'ipcm_messages_waiting';

const ours = [
  'CREATE TABLE IF NOT EXISTS ipcm_reaped(seq INTEGER PRIMARY KEY, name TEXT NOT NULL, pid INTEGER, lost INTEGER NOT NULL)',
  'CREATE TABLE IF NOT EXISTS ipcm_rejected(seq INTEGER PRIMARY KEY, id TEXT, "to" TEXT, "from" TEXT, stamp REAL, content BLOB)',
  // Of those who are somebody, among the rows of all who ever were.
  'CREATE INDEX IF NOT EXISTS ipcm_peers_here ON ipcm_peers(id, pid, active, suspend_expires, ipcm_process, ipcm_since) WHERE (active IS NOT NULL OR pid IS NOT NULL)',
  `CREATE INDEX IF NOT EXISTS ${marker} ON ipcm_messages("to", ipcm_turn, stamp)`,
].map(change);

/** Makes what is missing. */
export function* makeTables(): Work<void> {
  for (const statement of wire) yield { statement, values: [] };
  for (const [table, name, type] of columns) {
    const { rows: found } = yield { statement: column, values: [table, name] };
    if (found.length === 0) {
      yield { statement: change(`ALTER TABLE ${table} ADD COLUMN ${name} ${type} DEFAULT NULL`), values: [] };
    }
  }
  for (const statement of ours) yield { statement, values: [] };
}

// The column that was added last is looked for in the words of its table.
const known = rows(
  `SELECT name, sql LIKE '%ipcm_since%' AS recent FROM sqlite_master WHERE name IN ('ipcm_peers', 'ipcm_messages', '${marker}')`,
);

/** `ours`: a store, complete. `wire`: one that somebody else made. `none`: no store. */
export function* inspect(): Work<'ours' | 'wire' | 'none'> {
  const found = yield { statement: known, values: [] };
  const names = found.rows.map(({ name }) => name);
  if (!names.includes('ipcm_peers') || !names.includes('ipcm_messages')) return 'none';
  const isRecent = found.rows.some(({ name, recent }) => name === 'ipcm_peers' && recent === 1);
  return isRecent && names.includes(marker) ? 'ours' : 'wire';
}

/** Makes what is missing of a store that there is; tells what was found. */
export function* complete(): ReturnType<typeof inspect> {
  const found = yield* inspect();
  if (found === 'wire') yield* makeTables();
  return found;
}

const foreign = rows(
  "SELECT 1 FROM sqlite_master WHERE substr(tbl_name, 1, 5) <> 'ipcm_' AND substr(tbl_name, 1, 7) <> 'sqlite_' LIMIT 1",
);

/** True when the database holds more than a store. */
export function* isShared(): Work<boolean> {
  const found = yield { statement: foreign, values: [] };
  return found.rows.length > 0;
}

/** Removes the tables from a database that is to stay. */
export function* dropTables(): Work<void> {
  for (const table of ['ipcm_messages', 'ipcm_peers', 'ipcm_reaped', 'ipcm_rejected', removed]) {
    yield { statement: change(`DROP TABLE IF EXISTS ${table}`), values: [] };
  }
}

const removed = 'ipcm_removed';

/**
 * Makes the tables useless, before their file is unlinked: others who have it open would otherwise go on with a file that
 * nobody else can find. A long backlog is renamed, since dropping it takes as long as writing it did.
 */
export function* ruinTables(): Work<void> {
  yield { statement: change(`DROP TABLE IF EXISTS ${removed}`), values: [] };
  yield { statement: change(`ALTER TABLE ipcm_messages RENAME TO ${removed}`), values: [] };
  yield { statement: change('DROP TABLE ipcm_peers'), values: [] };
}
