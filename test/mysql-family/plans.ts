/** No statement's cost grows with the backlog, or with the number of those who ever were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Statement } from '../../src/protocols/sql/query.ts';
import { own, statements, waitingFor } from '../../src/protocols/mysql-family/statements.ts';
import type { Served } from './server.ts';
import { bus, databaseOf } from './scene.ts';

/** Statements that touch all of a small table, or all of one client's messages, since that is what they are for. */
const whole = new Set(['allStats', 'reaped', 'trimRejected', 'trimReaped', 'trim', 'bury']);
// Ranges are removed where there is no better way, which there is here.
for (const unused of ['removeWaiting', 'removeBack', 'sendIf']) whole.add(unused);

/** Those about one client's messages, by whose number they may take long. */
const inbox = new Set(['releaseAll', 'removeAll', 'count']);

interface Plan {
  readonly table: string | null;
  readonly type: string | null;
  readonly key: string | null;
  readonly rows: number | null;
  readonly Extra: string | null;
}

/** Tests of the plans. */
export function planTests(served: Served): void {
  test('every statement goes along an index and sorts nothing, with a backlog and thousands who have left', async (t) => {
    const server = served();
    const made = await bus(t, served);
    await server.query(`USE ${databaseOf(made)}`);
    const numbers =
      'SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n FROM ' +
      ['a', 'b', 'c', 'd']
        .map((name) => `(${Array.from({ length: 10 }, (_, n) => `SELECT ${n} AS n`).join(' UNION ALL ')}) ${name}`)
        .join(', ');
    await server.query(
      `INSERT INTO ipcm_peers (id, active) SELECT CONCAT('p', n), NULL FROM (${numbers}) AS all_numbers`,
    );
    await server.query("UPDATE ipcm_peers SET active = 1, pid = 1 WHERE id IN ('p1', 'p2')");
    await server.query(
      `INSERT INTO ipcm_messages (id, \`to\`, \`from\`, stamp, content) SELECT UUID(), IF(n % 2, 'p1', 'p2'), 'p1', n, 'x' FROM (${numbers}) AS all_numbers`,
    );
    await server.query('ANALYZE TABLE ipcm_peers, ipcm_messages');
    const all: [string, Statement][] = [
      ...Object.entries(statements),
      ...Object.entries(own).flatMap(([name, one]) =>
        [one].flat().map((statement): [string, Statement] => [name, statement as Statement]),
      ),
      ['waitingFor', waitingFor(3)],
      ['removeArrived at once', { rows: false, text: statements.removeArrived.atOnce?.([[1], [2], [3]]).text ?? '' }],
      ['remove at once', { rows: false, text: statements.remove.atOnce?.([['a'], ['b'], ['c']]).text ?? '' }],
      [
        'handOut at once',
        {
          rows: false,
          text:
            statements.handOut.atOnce?.([
              [1, 'a'],
              [1, 'b'],
            ]).text ?? '',
        },
      ],
    ];
    const tabular = server.kind === 'MySQL' ? 'EXPLAIN FORMAT=TRADITIONAL' : 'EXPLAIN';
    for (const [name, { text }] of all) {
      if (whole.has(name) || !/^(?:SELECT|UPDATE|DELETE)/.test(text)) continue;
      const value = name.startsWith('removeArrived') ? 1 : 'p1';
      const values: unknown[] = Array.from(text.matchAll(/(active = )?\?/g), ([, active]) =>
        active === undefined ? value : 1,
      );
      if (text.endsWith('LIMIT ?')) values[values.length - 1] = 5;
      const plan = (await server.query(`${tabular} ${text}`, values)) as unknown as Plan[];
      for (const { table, type, key, rows, Extra } of plan) {
        const shown = `${name}: ${JSON.stringify({ table, type, key, rows, Extra })}`;
        if (table === null || /derived|NULL|union/i.test(table)) continue;
        if (!inbox.has(name)) assert.notEqual(type, 'ALL', shown);
        // An update of what it searches by notes first which rows they are.
        if (!text.startsWith('UPDATE')) assert.doesNotMatch(Extra ?? '', /filesort|temporary/i, shown);
        if (/peers|leases|lines/.test(table)) assert.ok(Number(rows ?? 0) <= 10, shown);
        else if (!inbox.has(name)) assert.match(key ?? '', /ipcm_messages_waiting|id|PRIMARY/, shown);
      }
    }
  });
}
