/** Queries of the shared client on a connection. */
import type { Query, Result, Row, Value } from '../sql/query.ts';
import type { Link } from './database.ts';

/** Runs a query: with many groups of values at once where that can be, else one after the other without waiting in between. */
export async function runOn(link: Link, query: Query): Promise<Result> {
  const { statement } = query;
  const { text, rows } = statement;
  if (!('many' in query)) return link.run({ text, values: query.values, rows });
  const { many } = query;
  if (many.length === 0) return { rows: [], changes: 0 };
  if (statement.atOnce !== undefined) return listOn(link, statement.atOnce, many, rows);
  if (statement.inTurn === true) {
    let changes = 0;
    for (const values of many) changes += (await link.run({ text, values, rows })).changes;
    return { rows: [], changes };
  }
  const results = await Promise.all(many.map((values) => link.run({ text, values, rows })));
  return { rows: [], changes: results.reduce((sum, { changes }) => sum + changes, 0) };
}

/** Runs a statement of any number of groups of values: as several, where the server does not take them in one. */
async function listOn(
  link: Link,
  statement: NonNullable<Query['statement']['atOnce']>,
  many: readonly (readonly Value[])[],
  rows: boolean,
): Promise<Result> {
  const { longestList = many.length } = link;
  if (many.length <= longestList) return link.run({ ...statement(many), rows });
  const found: Row[] = [];
  let changes = 0;
  for (let at = 0; at < many.length; at += longestList) {
    const result = await link.run({ ...statement(many.slice(at, at + longestList)), rows });
    found.push(...result.rows);
    changes += result.changes;
  }
  return { rows: found, changes };
}
