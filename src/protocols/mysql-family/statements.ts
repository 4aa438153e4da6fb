/** The statements of the shared client, and those of the layer for servers, in the words of both databases. */
import type { Statement, Value } from '../sql/query.ts';
import { makeStatements, type Flavour, type Statements } from '../sql/statements.ts';
import type { OwnStatements } from '../sql-server/database.ts';

/** Epoch seconds by the server's clock. */
const now = 'UNIX_TIMESTAMP(NOW(6))';

const flavour: Flavour = {
  quote: (name) => `\`${name}\``,
  value: () => '?',
  same: (column) => `${column} <=> ?`,
  arrival: 'ipcm_seq',
  orNothing: 'ON DUPLICATE KEY UPDATE id = id',
  text: (column) => column,
  // Of those who are somebody, among the rows of all who ever were.
  peersHere: '(SELECT * FROM ipcm_peers FORCE INDEX (ipcm_peers_here) WHERE ipcm_here = 1) AS ipcm_peers',
  bytes: (column) => `LENGTH(${column})`,
  locking: ' FOR UPDATE',
  silent: `NOT EXISTS (SELECT 1 FROM ipcm_leases WHERE process = SUBSTRING_INDEX(ipcm_peers.ipcm_process, ' ack', 1) AND expires > ${now})`,
  expired: `suspend_expires <= ${now}`,
  givenIds: true,
};

const change = (text: string): Statement => ({ text, rows: false });
const rows = (text: string): Statement => ({ text, rows: true });

/** A list of question marks. */
const marks = (count: number): string => `(${Array.from({ length: count }, () => '?').join(', ')})`;

const shared = makeStatements(flavour);

/** A statement over a list of rows, each named by the last value of its group; the values before are the same in all. */
function byList(statement: Statement, text: string, column: 'id' | 'ipcm_seq'): Statement {
  const atOnce = (many: readonly (readonly Value[])[]): { text: string; values: Value[] } => ({
    text: `${text} WHERE ${column} IN ${marks(many.length)}`,
    values: [...(many[0]?.slice(0, -1) ?? []), ...many.map((values) => values.at(-1) ?? null)],
  });
  return { ...statement, atOnce };
}

/** Neither database deletes from a table by what it reads there, but from a table made of it. */
function trim(table: string, kept: number): Statement {
  return change(
    `DELETE FROM ${table} WHERE seq <= (SELECT last FROM (SELECT MAX(seq) - ${kept} AS last FROM ${table}) AS latest)`,
  );
}

/** The statements of the shared client. */
export const statements: Statements = {
  ...shared,
  trimReaped: trim('ipcm_reaped', 10_000),
  trimRejected: trim('ipcm_rejected', 100),
  remove: byList(shared.remove, 'DELETE FROM ipcm_messages', 'id'),
  // The key by which the rows lie: less than half the work of finding them by their ids.
  removeArrived: byList(shared.removeArrived, 'DELETE FROM ipcm_messages', 'ipcm_seq'),
  // After a deadlock the server would take the others all the same, each as a transaction of its own.
  putBack: { ...shared.putBack, inTurn: true },
  handOut: byList(shared.handOut, 'UPDATE ipcm_messages SET ipcm_turn = ?', 'id'),
};

const waits = (n: number): string =>
  'EXISTS (SELECT 1 FROM ipcm_messages WHERE `to` = ? AND ipcm_turn IS NULL) AS n' + String(n);
const asked = new Map<number, Statement>();

/** For whom of so many there are messages: one column each, `n0` and so on. One after the other the names are the values. */
export function waitingFor(names: number): Statement {
  let statement = asked.get(names);
  if (statement === undefined) {
    const columns = Array.from({ length: names }, (_, n) => waits(n));
    asked.set(names, (statement = rows(`SELECT ${columns.join(', ')}`)));
  }
  return statement;
}

/** Ends a connection, and waits until it has ended: several statements, see burial.ts. */
export const burial = 'KILL ?';

/** End of an insert of a mark: the row of a line that was not used for a week has been removed. */
export const marking = 'ON DUPLICATE KEY UPDATE mark = VALUES(mark), used = VALUES(used)';

/** The statements of the layer for servers. */
export const own: OwnStatements = {
  lease: change(
    `INSERT INTO ipcm_leases (process, expires) VALUES (?, ${now} + ?) ON DUPLICATE KEY UPDATE expires = VALUES(expires)`,
  ),
  renew: change(`UPDATE ipcm_leases SET expires = ${now} + ? WHERE process = ?`),
  endLease: change('DELETE FROM ipcm_leases WHERE process = ?'),
  endStaleLease: change(`DELETE FROM ipcm_leases WHERE process = ? AND expires <= ${now}`),
  leased: rows(`SELECT 1 AS leased FROM ipcm_leases WHERE process = ? AND expires > ${now}`),
  held: rows('SELECT id, ipcm_process FROM ipcm_peers WHERE ipcm_process IN (?, ?) FOR UPDATE'),
  openLine: change(`INSERT IGNORE INTO ipcm_lines (line, mark, used) VALUES (?, 0, ${now})`),
  trim: [
    change(`DELETE FROM ipcm_lines WHERE used < ${now} - 604800`),
    change(`DELETE FROM ipcm_leases WHERE expires < ${now} - 604800`),
  ],
  closeLine: change('DELETE FROM ipcm_lines WHERE line = ?'),
  mark: change(`INSERT INTO ipcm_lines (mark, line, used) VALUES (?, ?, ${now}) ${marking}`),
  // Locked, since the transaction that changes it may be about to be committed.
  marked: rows('SELECT mark FROM ipcm_lines WHERE line = ? FOR UPDATE'),
  bury: rows(burial),
};
