/** The statements in PostgreSQL's words. */
import type { Statement, Value } from '../sql/query.ts';
import { makeStatements, type Flavour, type Statements } from '../sql/statements.ts';
import type { Batch, Bound, OwnStatements } from '../sql-server/database.ts';
import { now } from './schema.ts';

const flavour: Flavour = {
  quote: (name) => `"${name}"`,
  value: (n) => `$${n}`,
  same: (column, n) => `${column} IS NOT DISTINCT FROM $${n}`,
  arrival: 'ipcm_arrival',
  orNothing: 'ON CONFLICT (id) DO NOTHING',
  text: (column) => column,
  peersHere: 'ipcm_peers',
  // Of one that lies outside of its row it is known without reading it.
  bytes: (column) => `octet_length(${column})`,
  // Not the key: what others send may go on referring to it.
  locking: ' FOR NO KEY UPDATE OF ipcm_peers',
  silent: `NOT EXISTS (SELECT FROM ipcm_leases WHERE process = replace(ipcm_process, ' ack', '') AND expires >= ${now})`,
  expired: `suspend_expires <= ${now}`,
  givenIds: true,
};

const basic = makeStatements(flavour);
const to = '"to" = $1';

type Item = Value | undefined;

/** A list of UUIDs, integers or numbers as PostgreSQL reads an array: none of them needs quotes. */
function plainArray(items: readonly Item[]): string {
  return `{${items.map((item) => (typeof item === 'string' || typeof item === 'number' ? item : 'NULL')).join(',')}}`;
}

/** A list of texts. */
function textArray(items: readonly Item[]): string {
  const quoted = items.map((item) => (typeof item === 'string' ? `"${item.replace(/["\\]/g, '\\$&')}"` : 'NULL'));
  return `{${quoted.join(',')}}`;
}

const column = (many: readonly (readonly Value[])[], n: number): Value[] => many.map((values) => values[n] ?? null);

function byIds(statement: Statement, text: string): Statement {
  return { ...statement, atOnce: (many) => ({ text, values: [plainArray(column(many, 0))] }) };
}

const all = `= ANY($1::uuid[])`;

/** Counts what two statements did, each along an index of its own. */
const bothTurns = (first: string, second: string): string =>
  `WITH a AS (${first} RETURNING 1), b AS (${second} RETURNING 1) SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b) AS changes`;

/** The statements of the shared client. */
export const statements: Statements = {
  ...basic,
  remove: byIds(basic.remove, `DELETE FROM ipcm_messages WHERE id ${all}`),
  release: byIds(basic.release, `UPDATE ipcm_messages SET ipcm_turn = NULL WHERE id ${all} AND ipcm_turn > 0`),
  handOut: {
    ...basic.handOut,
    atOnce: (many) => ({
      text: 'UPDATE ipcm_messages SET ipcm_turn = $2 WHERE id = ANY($1::uuid[])',
      values: [plainArray(column(many, 1)), many[0]?.[0] ?? null],
    }),
  },
  nobody: {
    ...basic.nobody,
    atOnce: (many) => ({
      text: 'INSERT INTO ipcm_peers (id, active) SELECT unnest($1::text[]), NULL ON CONFLICT (id) DO NOTHING',
      values: [textArray(column(many, 0))],
    }),
  },
  // The two indexes are partial: one of what waits, one of the few that have a turn.
  removeAll: {
    text: bothTurns(
      `DELETE FROM ipcm_messages WHERE ${to} AND ipcm_turn IS NULL`,
      `DELETE FROM ipcm_messages WHERE ${to} AND ipcm_turn IS NOT NULL`,
    ),
    rows: false,
  },
  count: {
    text: `SELECT (SELECT count(*) FROM ipcm_messages WHERE ${to} AND ipcm_turn IS NULL) + (SELECT count(*) FROM ipcm_messages WHERE ${to} AND ipcm_turn IS NOT NULL) AS number`,
    rows: true,
  },
  ready: {
    text: `SELECT 1 AS some WHERE EXISTS (SELECT FROM ipcm_messages WHERE ${to} AND ipcm_turn IS NULL) OR EXISTS (SELECT FROM ipcm_messages WHERE "to" = $2 AND ipcm_turn < 0)`,
    rows: true,
  },
};

/** Of the peer in the life in which it was seen; it can neither leave nor suspend until the insert is committed. */
const peer =
  'peer AS (SELECT id FROM ipcm_peers WHERE id = $1 AND pid IS NOT DISTINCT FROM $2 AND active::float8 = $3::float8 FOR SHARE)';
const columns = 'id, ipcm_id, "to", "from", stamp, content, broadcast';
const upsert = 'ON CONFLICT (line) DO UPDATE SET mark = excluded.mark, seen = excluded.seen';
const marking = `mark AS (INSERT INTO ipcm_lines (line, mark, seen) SELECT $4, $5, ${now} WHERE EXISTS (SELECT FROM sent) ${upsert})`;

const told = `SELECT count(*) AS changes, (SELECT pg_notify($6::text, '') FROM sent LIMIT 1) AS told FROM sent`;

const sendOne = `WITH ${peer}, sent AS (INSERT INTO ipcm_messages (${columns}) SELECT $7, $8, peer.id, $9, $10, $11, $12 FROM peer RETURNING 1), ${marking} ${told}`;

/** The contents come as one, to be cut: an array of them would have to be written as text. */
const sendMany = `WITH ${peer}, sent AS (INSERT INTO ipcm_messages (${columns}) SELECT m.id, m.given, peer.id, m.sender, m.stamp, substring($11::bytea FROM m.start FOR m.size), m.broadcast FROM peer, unnest($7::uuid[], $8::text[], $9::text[], $10::numeric[], $12::int[], $13::int[], $14::bool[]) AS m(id, given, sender, stamp, start, size, broadcast) RETURNING 1), ${marking} ${told}`;

/** Inserts a batch. */
export function send({ peer: to, messages, line, mark, channel = '' }: Batch): Bound {
  const head = [to.name, to.identity?.pid ?? null, to.active ?? null, line, mark, channel];
  const [only] = messages;
  if (messages.length === 1 && only !== undefined) {
    const { message, bytes } = only.outgoing;
    const values = [...head, ...only.ids, message.from, message.stamp, bytes, message.broadcast ? 1 : 0];
    return { text: sendOne, values, rows: false };
  }
  const starts: number[] = [];
  const sizes: number[] = [];
  let start = 1;
  for (const { outgoing } of messages) {
    starts.push(start);
    sizes.push(outgoing.bytes.length);
    start += outgoing.bytes.length;
  }
  const values = [
    ...head,
    plainArray(messages.map(({ ids }) => ids[0])),
    textArray(messages.map(({ ids }) => ids[1] ?? null)),
    textArray(messages.map(({ outgoing }) => outgoing.message.from)),
    plainArray(messages.map(({ outgoing }) => outgoing.message.stamp)),
    Buffer.concat(messages.map(({ outgoing }) => outgoing.bytes)),
    plainArray(starts),
    plainArray(sizes),
    plainArray(messages.map(({ outgoing }) => (outgoing.message.broadcast ? 't' : 'f'))),
  ];
  return { text: sendMany, values, rows: false };
}

const week = 604_800;

/** The statements of the shared layer. */
export const own: OwnStatements = {
  lease: {
    text: `INSERT INTO ipcm_leases (process, expires) VALUES ($1, ${now} + $2) ON CONFLICT (process) DO UPDATE SET expires = excluded.expires`,
    rows: false,
  },
  renew: { text: `UPDATE ipcm_leases SET expires = ${now} + $1 WHERE process = $2`, rows: false },
  endLease: { text: 'DELETE FROM ipcm_leases WHERE process = $1', rows: false },
  endStaleLease: { text: `DELETE FROM ipcm_leases WHERE process = $1 AND expires < ${now}`, rows: false },
  leased: { text: 'SELECT 1 AS leased FROM ipcm_leases WHERE process = $1', rows: true },
  held: {
    text: 'SELECT id FROM ipcm_peers WHERE (active IS NOT NULL OR pid IS NOT NULL) AND ipcm_process IN ($1, $2) FOR NO KEY UPDATE',
    rows: true,
  },
  openLine: {
    text: `INSERT INTO ipcm_lines (line, mark, seen) VALUES ($1, 0, ${now}) ON CONFLICT (line) DO NOTHING`,
    rows: false,
  },
  trim: [
    { text: `DELETE FROM ipcm_lines WHERE seen < ${now} - ${week}`, rows: false },
    { text: `DELETE FROM ipcm_leases WHERE expires < ${now} - ${week}`, rows: false },
  ],
  closeLine: { text: 'DELETE FROM ipcm_lines WHERE line = $1', rows: false },
  mark: { text: `INSERT INTO ipcm_lines (mark, line, seen) VALUES ($1, $2, ${now}) ${upsert}`, rows: false },
  marked: { text: 'SELECT mark FROM ipcm_lines WHERE line = $1 FOR UPDATE', rows: true },
  bury: {
    text: 'SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid() AND datname = current_database()',
    rows: true,
  },
};
