/** Statistics, as they stand in the rows of clients. */
import type { Awaitable } from '../../protocol/protocol.ts';
import { statsFromWire, type Stats } from '../../protocol/stats.ts';
import type { Serializer } from '../../serializers/serializer.ts';
import { andThen } from './awaitable.ts';
import type { Backend } from './contract.ts';
import { bytesOf, textOf } from './rows.ts';

/** Largest statistics that are read, in bytes. */
const largestStats = 16 * 1024 * 1024;

function decode(serializer: Serializer, value: unknown): Stats | undefined {
  if (value === null || value === undefined) return undefined;
  try {
    return statsFromWire(serializer.deserialize(bytesOf(value), largestStats));
  } catch {
    // Being a record of what was, an unreadable one is as good as none; the sanity check then shows the difference.
    return undefined;
  }
}

/** The statistics of one client, if there are any. */
export function readStats(
  { session, statements }: Backend,
  serializer: Serializer,
  name: string,
): Awaitable<Stats | undefined> {
  const query = { statement: statements.readStats, values: [name] };
  return andThen(session.one('read the statistics', query), ({ rows }) => decode(serializer, rows[0]?.['stats']));
}

/** The statistics of all clients. */
export function allStats({ session, statements }: Backend, serializer: Serializer): Awaitable<Map<string, Stats>> {
  const query = { statement: statements.allStats, values: [] };
  return andThen(session.one('read the statistics', query), ({ rows }) => {
    const all = new Map<string, Stats>();
    for (const row of rows) {
      const stats = decode(serializer, row['stats']);
      if (stats !== undefined) all.set(textOf(row['id']), stats);
    }
    return all;
  });
}
