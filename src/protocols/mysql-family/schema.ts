/**
 * The tables: those of the wire, and what we add to them.
 *
 * A store that the reference made is brought into the form of ours when it is first opened: columns and indexes are added, the
 * content may be longer than 64 KiB, and names get a collation in which only the same name is equal. Its own statements name
 * their columns, and find all that as it was.
 */
import { IpcError } from '../../errors.ts';
import type { Row, Statement, Work } from '../sql/query.ts';
import type { Schema } from '../sql-server/database.ts';
import { kindOf, oldest, type Kind } from './version.ts';

/** What the two protocols make differently. */
export interface SchemaProfile {
  /** Bare name of the protocol. */
  readonly protocol: string;
  /** The type of a message's id. */
  readonly idType: (kind: Kind) => string;
}

const change = (text: string): Statement => ({ text, rows: false });
const rows = (text: string): Statement => ({ text, rows: true });

/** Columns added to a table of the wire, each with its definition. Ours are looked for by their names. */
type Added = Readonly<Record<string, string>>;

const here = 'CASE WHEN active IS NOT NULL OR pid IS NOT NULL THEN 1 END';

const toPeers: Added = {
  ipcm_process: 'VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL',
  ipcm_since: 'DOUBLE DEFAULT NULL',
  // Null for all who are nobody, so that the others are found without reading the rows of all who ever were.
  ipcm_here: `TINYINT GENERATED ALWAYS AS (${here}) VIRTUAL`,
};

const toMessages: Added = {
  ipcm_id: 'LONGTEXT DEFAULT NULL',
  ipcm_turn: 'BIGINT DEFAULT NULL',
};

const peerKeys: Added = {
  ipcm_peers_here: '(ipcm_here)',
  ipcm_peers_process: '(ipcm_process)',
};

const waiting = 'KEY ipcm_messages_waiting (`to`, ipcm_turn, stamp, ipcm_seq)';

const definitions = (added: Added): string[] => Object.entries(added).map(([name, type]) => `${name} ${type}`);
const keys = (added: Added): string[] => Object.entries(added).map(([name, columns]) => `KEY ${name} ${columns}`);

const refers = (column: string): string => `FOREIGN KEY (\`${column}\`) REFERENCES ipcm_peers(id) ON DELETE CASCADE`;

/** Tables that only we have, each with its columns. */
const ownTables: Readonly<Record<string, string>> = {
  ipcm_reaped:
    'seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(512) NOT NULL, pid BIGINT, lost BIGINT NOT NULL',
  ipcm_rejected:
    'seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, id LONGTEXT, `to` LONGTEXT, `from` LONGTEXT, stamp DOUBLE, content LONGBLOB',
  ipcm_leases:
    'process VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, expires DOUBLE NOT NULL',
  ipcm_lines:
    'line VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, mark BIGINT NOT NULL, used DOUBLE NOT NULL',
};

const tables = ['ipcm_messages', 'ipcm_peers', ...Object.keys(ownTables)];

const versionQuery = rows('SELECT VERSION() AS version');

// In the schema's own words the names of these columns are in capitals, on some servers.
const columnsQuery = rows(
  'SELECT TABLE_NAME AS tab, COLUMN_NAME AS col, COLLATION_NAME AS coll, DATA_TYPE AS type FROM information_schema.COLUMNS ' +
    `WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${tables.map((table) => `'${table}'`).join(', ')})`,
);
const keysQuery = rows(
  'SELECT DISTINCT TABLE_NAME AS tab, INDEX_NAME AS name FROM information_schema.STATISTICS ' +
    "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('ipcm_messages', 'ipcm_peers')",
);

const referencesQuery = rows(
  'SELECT CONSTRAINT_NAME AS name, COLUMN_NAME AS col FROM information_schema.KEY_COLUMN_USAGE ' +
    "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'ipcm_messages' AND REFERENCED_TABLE_NAME = 'ipcm_peers'",
);

/** What there is. */
interface Found {
  readonly kind: Kind;
  /** Columns by `table.column`. */
  readonly columns: ReadonlyMap<string, Row>;
  /** Indexes by `table.name`. */
  readonly keys: ReadonlySet<string>;
  /** Names of the references to peers, by column. */
  readonly references: ReadonlyMap<string, string>;
}

function* look(): Work<Found> {
  const version = yield { statement: versionQuery, values: [] };
  const columns = yield { statement: columnsQuery, values: [] };
  const indexes = yield { statement: keysQuery, values: [] };
  const references = yield { statement: referencesQuery, values: [] };
  return {
    kind: kindOf(version.rows[0]?.['version']),
    columns: new Map(columns.rows.map((row) => [`${String(row['tab'])}.${String(row['col'])}`, row])),
    keys: new Set(indexes.rows.map((row) => `${String(row['tab'])}.${String(row['name'])}`)),
    references: new Map(references.rows.map((row) => [String(row['col']), String(row['name'])])),
  };
}

const hasTable = ({ columns }: Found, table: string): boolean =>
  [...columns.keys()].some((key) => key.startsWith(`${table}.`));

/** How one of the two tables of the wire has to be changed; nothing where it is as it shall be. */
function alterations(found: Found, table: 'ipcm_peers' | 'ipcm_messages'): string[] {
  const { kind, columns, keys: indexes } = found;
  const isPeers = table === 'ipcm_peers';
  const parts: string[] = [];
  const names = isPeers ? ['id'] : ['to', 'from'];
  for (const name of names) {
    if (columns.get(`${table}.${name}`)?.['coll'] === kind.exact) continue;
    parts.push(`MODIFY \`${name}\` VARCHAR(512) CHARACTER SET utf8mb4 COLLATE ${kind.exact} NOT NULL`);
  }
  const blob = isPeers ? 'stats' : 'content';
  if (columns.get(`${table}.${blob}`)?.['type'] !== 'longblob')
    parts.push(`MODIFY ${blob} LONGBLOB ${isPeers ? 'DEFAULT NULL' : 'NOT NULL'}`);
  for (const [name, type] of Object.entries(isPeers ? toPeers : toMessages))
    if (!columns.has(`${table}.${name}`)) parts.push(`ADD COLUMN ${name} ${type}`);
  if (isPeers) {
    for (const [name, on] of Object.entries(peerKeys))
      if (!indexes.has(`${table}.${name}`)) parts.push(`ADD KEY ${name} ${on}`);
  } else {
    if (!columns.has('ipcm_messages.ipcm_seq')) parts.push('ADD COLUMN ipcm_seq BIGINT NOT NULL AUTO_INCREMENT UNIQUE');
    if (!indexes.has('ipcm_messages.ipcm_messages_waiting')) parts.push(`ADD ${waiting}`);
    for (const column of ['to', 'from']) if (!found.references.has(column)) parts.push(`ADD ${refers(column)}`);
  }
  return parts;
}

const create = (kind: Kind, table: string, parts: readonly string[]): Statement =>
  change(
    `CREATE TABLE IF NOT EXISTS ${table} (${parts.join(', ')}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=${kind.exact}`,
  );

/** Makes the tables that only we have. */
function* makeOwn(kind: Kind): Work<void> {
  for (const [table, columns] of Object.entries(ownTables))
    yield { statement: create(kind, table, [columns]), values: [] };
}

/** Brings the two tables of the wire into the form of ours. */
function* alter(kind: Kind): Work<void> {
  const made = yield* look();
  // A column that is referred to keeps its collation.
  const isToChange = ['ipcm_peers.id', 'ipcm_messages.to', 'ipcm_messages.from'].some(
    (column) => made.columns.get(column)?.['coll'] !== kind.exact,
  );
  if (isToChange && made.references.size > 0) {
    const parts = [...made.references.values()].map((name) => `DROP FOREIGN KEY \`${name}\``);
    yield { statement: change(`ALTER TABLE ipcm_messages ${parts.join(', ')}`), values: [] };
  }
  const found = isToChange ? yield* look() : made;
  for (const table of ['ipcm_peers', 'ipcm_messages'] as const) {
    const parts = alterations(found, table);
    if (parts.length > 0) yield { statement: change(`ALTER TABLE ${table} ${parts.join(', ')}`), values: [] };
  }
}

/** The schema as one of the protocols makes it. */
export function makeSchema({ protocol, idType }: SchemaProfile): Schema {
  const tooOld = ({ version }: Kind): IpcError =>
    new IpcError('IPCM_STORE_FAILED', `${protocol} needs ${oldest}, and the server is ${version}; use a newer one`, {
      protocol,
    });

  function* make(): Work<void> {
    const { rows: told } = yield { statement: versionQuery, values: [] };
    const kind = kindOf(told[0]?.['version']);
    if (kind.exact === undefined) throw tooOld(kind);
    yield* makeOwn(kind);
    const peers = [
      '`id` VARCHAR(512) NOT NULL PRIMARY KEY, `pid` INTEGER DEFAULT NULL, `active` DOUBLE DEFAULT (UNIX_TIMESTAMP()), ' +
        '`stats` LONGBLOB DEFAULT NULL, `suspend_expires` DOUBLE DEFAULT NULL',
      ...definitions(toPeers),
      ...keys(peerKeys),
    ];
    yield { statement: create(kind, 'ipcm_peers', peers), values: [] };
    const messages = [
      `\`id\` ${idType(kind)} NOT NULL UNIQUE KEY, \`to\` VARCHAR(512) NOT NULL, \`from\` VARCHAR(512) NOT NULL, ` +
        '`stamp` DOUBLE NOT NULL, `content` LONGBLOB NOT NULL, `broadcast` BOOL NOT NULL DEFAULT 0',
      ...definitions(toMessages),
      // The order in which rows came, and where they lie: what comes is added at the end.
      'ipcm_seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY',
      waiting,
      refers('to'),
      refers('from'),
    ];
    yield { statement: create(kind, 'ipcm_messages', messages), values: [] };
    yield* alter(kind);
  }

  function* complete(): Work<boolean> {
    // A second look: the first was several, and the tables may have gone in between. That of the messages goes first.
    const found = yield* inspect();
    if (found === 'none') return false;
    if (found === 'ours') return true;
    const { rows: told } = yield { statement: versionQuery, values: [] };
    const kind = kindOf(told[0]?.['version']);
    yield* makeOwn(kind);
    yield* alter(kind);
    return true;
  }

  function* inspect(): Work<'ours' | 'wire' | 'none'> {
    const found = yield* look();
    if (!hasTable(found, 'ipcm_peers') || !hasTable(found, 'ipcm_messages')) return 'none';
    if (found.kind.exact === undefined) throw tooOld(found.kind);
    const complete =
      Object.keys(ownTables).every((table) => hasTable(found, table)) &&
      alterations(found, 'ipcm_peers').length === 0 &&
      alterations(found, 'ipcm_messages').length === 0;
    return complete ? 'ours' : 'wire';
  }

  function* drop(): Work<void> {
    yield { statement: change(`DROP TABLE IF EXISTS ${tables.join(', ')}`), values: [] };
  }

  return { make, complete, inspect, drop, commits: true };
}
