/**
 * Every statement of the shared client, for any database.
 *
 * The tables are those of the wire: `ipcm_peers` and `ipcm_messages`. What only we need is in nullable columns and in
 * tables of our own, which the reference implementation does not look at:
 *
 * | | |
 * |---|---|
 * | `ipcm_peers.ipcm_process` | the identity that makes the pid unique, ` service` where the client answers requests, ` ack` where it reads with acknowledgement |
 * | `ipcm_peers.ipcm_since` | when its inbox was made, as `PeerEntry.since` tells it |
 * | `ipcm_messages.ipcm_id` | where ids are UUIDs: the id that is none |
 * | `ipcm_messages.ipcm_turn` | null: waits. Positive: handed out by the process of that pid, and not acknowledged yet. Negative: put back; such come first, in rising order |
 * | `ipcm_reaped` | who was reaped, with what was lost, the last ten thousand |
 * | `ipcm_rejected` | rows that turned out to be no messages, the last hundred |
 *
 * A row of `ipcm_peers` stays for ever, since messages refer to it: one with neither `active` nor `pid` is nobody. `active`
 * without a pid is a suspended client, a pid without `active` one that is leaving.
 */
import type { Statement } from './query.ts';

/** How a database writes what they all have in common. */
export interface Flavour {
  /** A column called like a keyword. */
  quote(name: string): string;
  /** The nth value, from 1. In each statement they stand in this order, each once: many databases count question marks. */
  value(n: number): string;
  /** True where `a` and the nth value are equal or both null. */
  same(column: string, n: number): string;
  /** What orders rows of one stamp by their arrival. */
  readonly arrival: string;
  /** End of an insert that does nothing where the row is there already. */
  readonly orNothing: string;
  /** A column of text that may hold any character. */
  text(column: string): string;
  /** The table of peers, for who looks at those alone that are somebody. */
  readonly peersHere: string;
  /** Number of bytes of a column. */
  bytes(column: string): string;
  /** End of a query of one peer's row that locks it until the end of the transaction, where beginning one does not. */
  readonly locking?: string;
  /** True for a client whose lease is over, by the database's clock; where hosts share a database. */
  readonly silent?: string;
  /** True for a suspended client whose deadline is over, likewise. */
  readonly expired?: string;
  /** True where ids are UUIDs: any other one stands in `ipcm_id`, and a UUID made from it in `id`. */
  readonly givenIds?: boolean;
}

/** The statements of one database. */
export type Statements = { readonly [K in keyof ReturnType<typeof makeStatements>]: Statement };

/** Writes the statements in the words of one database. The values of each are named in its comment, in order. */
export function makeStatements(flavour: Flavour) {
  const { arrival, orNothing } = flavour;
  const [to, from] = [flavour.quote('to'), flavour.quote('from')];
  const [v1, v2, v3, v4, v5, v6, , v8] = Array.from({ length: 8 }, (_, n) => flavour.value(n + 1));
  const rows = (text: string): Statement => ({ text, rows: true });
  const change = (text: string): Statement => ({ text, rows: false });
  const size = flavour.bytes('content');
  const name = `${flavour.text('id')} AS id`;
  const judged = Object.entries({ silent: flavour.silent, expired: flavour.expired });
  const judgements = judged.map(([column, text]) => (text === undefined ? '' : `, ${text} AS ${column}`)).join('');
  const peer = `SELECT ${name}, pid, active, suspend_expires, ipcm_process, ipcm_since${judgements} FROM`;
  const sender = `${flavour.text(from)} AS ${from}`;
  const here = '(active IS NOT NULL OR pid IS NOT NULL)';
  const ids = flavour.givenIds === true ? 'id, ipcm_id' : 'id';
  const width = flavour.givenIds === true ? 7 : 6;
  const columns = `${ids}, ${to}, ${from}, stamp, content, broadcast`;
  const insert = `INSERT INTO ipcm_messages (${columns})`;
  const group = (length: number, from: number): string =>
    `(${Array.from({ length }, (_, n) => flavour.value(from + n + 1)).join(', ')})`;
  const waitingFor = (receiver = v1): string => `${to} = ${receiver} AND ipcm_turn IS NULL`;
  const backFor = (receiver = v1): string => `${to} = ${receiver} AND ipcm_turn < 0`;
  const [waiting, back] = [waitingFor(), backFor()];
  // Of a content that is too long for a slice of many, only the size.
  const message = `SELECT ${ids}, ${sender}, stamp, broadcast, ${size} AS size, CASE WHEN ${size} <= ${v1} THEN content END AS content`;
  const list = `SELECT ${ids}, ${sender}, stamp FROM ipcm_messages`;
  /** The row of a client in the life that began at `active`: another one of the same process may have its name by now. */
  const ours = (id = v1, process = v2, active = v3): string =>
    `id = ${id} AND ipcm_process = ${process} AND (active IS NULL OR active = ${active})`;
  return {
    // ── Peers ──
    /** All who are somebody. */
    peers: rows(`${peer} ${flavour.peersHere} WHERE ${here}`),
    /** id */
    peer: rows(`${peer} ipcm_peers WHERE id = ${v1}`),
    /** id. To be changed by the same transaction. */
    peerToChange: rows(`${peer} ipcm_peers WHERE id = ${v1}${flavour.locking ?? ''}`),
    /** id, pid, active, process, since */
    newPeer: change(
      `INSERT INTO ipcm_peers (id, pid, active, ipcm_process, ipcm_since) VALUES (${v1}, ${v2}, ${v3}, ${v4}, ${v5})`,
    ),
    /** pid, active, process, since, id */
    takePeer: change(
      `UPDATE ipcm_peers SET pid = ${v1}, active = ${v2}, ipcm_process = ${v3}, ipcm_since = ${v4}, suspend_expires = NULL ` +
        `WHERE id = ${v5}`,
    ),
    /** id. A sender that never was a client: messages must refer to somebody. */
    nobody: change(`INSERT INTO ipcm_peers (id, active) VALUES (${v1}, NULL) ${orNothing}`),
    /** id */
    dropPeer: change(
      'UPDATE ipcm_peers SET pid = NULL, active = NULL, suspend_expires = NULL, ipcm_process = NULL, stats = NULL ' +
        `WHERE id = ${v1}`,
    ),
    /** id, process, active */
    seal: change(`UPDATE ipcm_peers SET active = NULL WHERE id = ${v1} AND ipcm_process = ${v2} AND active = ${v3}`),
    /** id, process, active */
    leave: change(
      'UPDATE ipcm_peers SET pid = NULL, active = NULL, suspend_expires = NULL, ipcm_process = NULL ' +
        `WHERE ${ours(v1, v2, v3)}`,
    ),
    /** active, expires, id, process, active before */
    suspend: change(
      `UPDATE ipcm_peers SET pid = NULL, active = ${v1}, suspend_expires = ${v2}, ipcm_process = NULL ` +
        `WHERE ${ours(v3, v4, v5)}`,
    ),
    // ── Statistics and records ──
    /** stats, id, process, active */
    writeStats: change(`UPDATE ipcm_peers SET stats = ${v1} WHERE ${ours(v2, v3, v4)}`),
    /** id */
    readStats: rows(`SELECT stats FROM ipcm_peers WHERE id = ${v1}`),
    allStats: rows(`SELECT ${name}, stats FROM ipcm_peers WHERE stats IS NOT NULL`),
    /** name, pid, lost */
    recordReaped: change(`INSERT INTO ipcm_reaped (name, pid, lost) VALUES (${v1}, ${v2}, ${v3})`),
    trimReaped: change('DELETE FROM ipcm_reaped WHERE seq <= (SELECT max(seq) - 10000 FROM ipcm_reaped)'),
    reaped: rows(`SELECT ${flavour.text('name')} AS name, pid, lost FROM ipcm_reaped ORDER BY seq`),
    /** id, to, from, stamp, content */
    recordRejected: change(
      `INSERT INTO ipcm_rejected (id, ${to}, ${from}, stamp, content) VALUES (${v1}, ${v2}, ${v3}, ${v4}, ${v5})`,
    ),
    trimRejected: change(`DELETE FROM ipcm_rejected WHERE seq <= (SELECT max(seq) - 100 FROM ipcm_rejected)`),
    // ── Sending ──
    /**
     * id, from, stamp, content, broadcast, to, pid, active. Only to the peer that was looked at: else nothing changes. Not for
     * a database that has a way of its own to send.
     */
    sendIf: change(
      `${insert} SELECT ${v1}, id, ${v2}, ${v3}, ${v4}, ${v5} FROM ipcm_peers ` +
        `WHERE id = ${v6} AND ${flavour.same('pid', 7)} AND active = ${v8}`,
    ),
    /** id (or id, given id), to, from, stamp, content, broadcast */
    send: {
      ...change(`${insert} VALUES ${group(width, 0)}`),
      grouped: (groups: number) =>
        `${insert} VALUES ${Array.from({ length: groups }, (_, n) => group(width, width * n)).join(', ')}`,
    },
    /** to */
    lastBack: rows(`SELECT max(ipcm_turn) AS turn FROM ipcm_messages WHERE ${back}`),
    /** id (or id, given id), to, from, stamp, content, broadcast, turn */
    putBack: change(`INSERT INTO ipcm_messages (${columns}, ipcm_turn) VALUES ${group(width + 1, 0)}`),
    // ── Receiving ──
    /** to, to */
    ready: rows(
      `SELECT 1 AS some WHERE EXISTS (SELECT 1 FROM ipcm_messages WHERE ${waiting}) ` +
        `OR EXISTS (SELECT 1 FROM ipcm_messages WHERE ${backFor(v2)})`,
    ),
    /** bytes, to, limit */
    waiting: rows(
      `${message}, ${arrival} AS arrival FROM ipcm_messages WHERE ${waitingFor(v2)} ORDER BY stamp, ${arrival} LIMIT ${v3}`,
    ),
    /** bytes, to, limit */
    back: rows(
      `${message}, ipcm_turn AS arrival FROM ipcm_messages WHERE ${backFor(v2)} ORDER BY ipcm_turn LIMIT ${v3}`,
    ),
    /** id */
    content: rows(`SELECT content FROM ipcm_messages WHERE id = ${v1}`),
    /** to, stamp, arrival. Everything up to a message: count whether it is what was read. */
    removeWaiting: change(`DELETE FROM ipcm_messages WHERE ${waiting} AND (stamp, ${arrival}) <= (${v2}, ${v3})`),
    /** to, turn */
    removeBack: change(`DELETE FROM ipcm_messages WHERE ${back} AND ipcm_turn <= ${v2}`),
    /** turn, id */
    handOut: change(`UPDATE ipcm_messages SET ipcm_turn = ${v1} WHERE id = ${v2}`),
    /** id */
    remove: change(`DELETE FROM ipcm_messages WHERE id = ${v1}`),
    /** arrival. For a database that finds a row sooner by that, and removes any number of them at once. */
    removeArrived: change(`DELETE FROM ipcm_messages WHERE ${arrival} = ${v1}`),
    /** id. Handed out, and to be handed out again. */
    release: change(`UPDATE ipcm_messages SET ipcm_turn = NULL WHERE id = ${v1} AND ipcm_turn > 0`),
    /** to */
    releaseAll: change(`UPDATE ipcm_messages SET ipcm_turn = NULL WHERE ${to} = ${v1} AND ipcm_turn > 0`),
    /** to */
    removeAll: change(`DELETE FROM ipcm_messages WHERE ${to} = ${v1}`),
    // ── Looking ──
    /** to */
    count: rows(`SELECT count(*) AS number FROM ipcm_messages WHERE ${to} = ${v1}`),
    /** to, limit */
    listOut: rows(`${list} WHERE ${to} = ${v1} AND ipcm_turn > 0 ORDER BY ipcm_turn, stamp, ${arrival} LIMIT ${v2}`),
    /** to, limit */
    listBack: rows(`${list} WHERE ${back} ORDER BY ipcm_turn LIMIT ${v2}`),
    /** to, limit */
    listWaiting: rows(`${list} WHERE ${waiting} ORDER BY stamp, ${arrival} LIMIT ${v2}`),
  } as const;
}
