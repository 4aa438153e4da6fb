/**
 * Sending a batch: one transaction, which inserts the rows and notes the mark.
 *
 * Each insert looks at the peer's row in place of the first row's receiver, and locks it: where the peer is not the one
 * that was seen, the receiver is null, which the column refuses, and with it the whole insert.
 */
import type { Value } from '../sql/query.ts';
import type { Batch, Bound } from '../sql-server/database.ts';
import { errnoOf, errors } from './errors.ts';
import { marking } from './statements.ts';
import { frame, sizeOfAll } from './values.ts';

/** Rows and bytes of one insert, but for a message that is larger; a server that takes less gets less. */
const mostRows = 256;
const mostBytes = 4 * 1024 * 1024;

/** A batch as a connection sends it. */
export interface SendBound extends Bound {
  readonly begin: Bound;
  /** Its inserts, each no larger than a packet may be, but for a message that is so by itself. */
  readonly inserts: (largestPacket: number) => readonly Bound[];
  /** What notes the mark, if the insert before it has inserted something. */
  readonly marks: (isMariadb: boolean) => readonly Bound[];
  readonly commit: Bound;
  /** True for the error that says that the peer is not the one that was seen. */
  readonly refused: (error: unknown) => boolean;
}

/** The batch, if it is one. */
export function sendsOf(bound: Bound): SendBound | undefined {
  return 'inserts' in bound ? (bound as SendBound) : undefined;
}

const change = (text: string, values: readonly Value[] = []): Bound => ({ text, values, rows: false });

const begin = change('BEGIN');
const commit = change('COMMIT');
// Only where the insert has inserted something. MySQL has forgotten how much by the time that it marks.
const count = change('SET @ipcm_sent = ROW_COUNT()');
const mark = (inserted: string): string =>
  `INSERT INTO ipcm_lines (mark, line, used) SELECT ?, ?, UNIX_TIMESTAMP() FROM DUAL WHERE ${inserted} > 0 ${marking}`;
const [byCount, byVariable] = [mark('ROW_COUNT()'), mark('@ipcm_sent')];

const peer = '(SELECT id FROM ipcm_peers WHERE id = ? AND pid <=> ? AND active = ? LOCK IN SHARE MODE)';
const head = 'INSERT INTO ipcm_messages (id, ipcm_id, `to`, `from`, stamp, content, broadcast) VALUES ';
const firstRow = `(?, ?, ${peer}, ?, ?, ?, ?)`;
const nextRow = ', (?, ?, ?, ?, ?, ?, ?)';

/** Texts by their number of rows, so that the same text is the same string. */
const texts = new Map<number, string>();

function insertText(rows: number): string {
  let text = texts.get(rows);
  if (text === undefined) texts.set(rows, (text = head + firstRow + nextRow.repeat(rows - 1)));
  return text;
}

/** The batch as statements. */
export function send({ peer: { name, identity, active }, messages, line, mark: number }: Batch): SendBound {
  const seen = [name, identity?.pid ?? null, active ?? null];
  const inserts = (largestPacket: number): Bound[] => {
    const most = Math.min(mostBytes, largestPacket);
    const all: Bound[] = [];
    let values: Value[] = [];
    let [rows, size] = [0, frame];
    for (const { ids, outgoing } of messages) {
      const { message, bytes } = outgoing;
      const end = [message.from, message.stamp, bytes, message.broadcast ? 1 : 0];
      let row = [...ids, ...(rows === 0 ? seen : [name]), ...end];
      let added = sizeOfAll(row);
      if (rows === mostRows || (size + added > most && rows > 0)) {
        all.push(change(insertText(rows), values));
        row = [...ids, ...seen, ...end];
        added = sizeOfAll(row);
        [values, rows, size] = [[], 0, frame];
      }
      values.push(...row);
      rows++;
      size += added;
    }
    if (rows > 0) all.push(change(insertText(rows), values));
    return all;
  };
  const marks = (isMariadb: boolean): Bound[] =>
    isMariadb ? [change(byCount, [number, line])] : [count, change(byVariable, [number, line])];
  const refused = (error: unknown): boolean => errnoOf(error) === errors.nullValue;
  return { ...begin, begin, inserts, marks, commit, refused };
}
