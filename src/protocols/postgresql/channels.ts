/** The channels that a store's notifications come on: hashes, since a channel's name has 63 bytes at most. */
import { createHash } from 'node:crypto';
import type { Result } from '../sql/query.ts';
import { textOf } from '../sql/rows.ts';
import type { Bound, Channels } from '../sql-server/database.ts';

/** As the triggers name them. */
function hash(text: string): string {
  return `ipcm_${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
}

/** Asks which schema the tables are in: notifications go to the whole database. */
export const query: Bound = {
  text: "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = 'ipcm_messages'::regclass",
  values: [],
  rows: true,
};

/** The channels by its answer. */
export function channelsOf({ rows }: Result): Channels {
  const schema = textOf(rows[0]?.['nspname']);
  return { inbox: (name) => hash(`${schema}/${name}`), peers: hash(schema) };
}
