/** No query's cost grows with the backlog or with the clients there ever were: each goes along an index, and sorts nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setup } from '../../src/protocols/postgresql/link.ts';
import { own, send, statements } from '../../src/protocols/postgresql/statements.ts';
import type { PeerRow } from '../../src/protocols/sql/rows.ts';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { TestServer } from './server.ts';
import { create, outgoing } from './scene.ts';

let server: TestServer;
before(async () => (server = await TestServer.start()));
after(() => server.stop());

/** Statements that touch all rows of a table, since that is what they are for: `trim` of tables with a row for each process. */
const whole: readonly string[] = ['allStats', 'reaped', 'trim0', 'trim1'];

/** All texts, by a name for each. */
function texts(): [name: string, text: string][] {
  const peer: PeerRow = {
    name: 'b',
    identity: ownIdentity(),
    active: 1,
    expiresAt: undefined,
    expired: undefined,
    acknowledge: false,
    process: '',
    silent: false,
    service: false,
    since: undefined,
  };
  const found: [string, string][] = [];
  for (const [name, statement] of Object.entries(statements)) {
    found.push([name, statement.text]);
    const many = statement.atOnce?.([['x', 1]]);
    if (many !== undefined) found.push([`${name} of many`, many.text]);
  }
  for (const [name, statement] of Object.entries(own)) {
    const all = Array.isArray(statement) ? (statement as { text: string }[]) : [statement as { text: string }];
    all.forEach(({ text }, n) => found.push([all.length > 1 ? `${name}${n}` : name, text]));
  }
  for (const count of [1, 2]) {
    const messages = outgoing('a', 'b', ...Array.from({ length: count }, (_, n) => n));
    const rows = messages.map((each) => ({ ids: [each.message.id, null], outgoing: each }));
    found.push([`send ${count}`, send({ peer, messages: rows, line: 'x', mark: 1, channel: 'x' }).text]);
  }
  // One looks at the server's connections; the others are for databases that send or find rows in other ways.
  return found.filter(([name]) => !['bury', 'sendIf', 'removeArrived'].includes(name));
}

test('every statement goes along an index and sorts nothing, whatever is known of the tables', async (t) => {
  const route = await server.route();
  await create(t, route);
  const schema = /search_path=(\w+)/.exec(route)?.[1] ?? '';
  await server.query(`SET search_path = ${schema}`);
  for (const line of setup) await server.query(line);
  for (const state of ['empty', 'empty, analyzed', 'a backlog, not analyzed', 'a backlog, analyzed']) {
    if (state.startsWith('a backlog, not')) {
      await server.query("INSERT INTO ipcm_peers(id, active) SELECT 'p' || n, NULL FROM generate_series(1, 5000) n");
      await server.query(
        `INSERT INTO ipcm_messages("id", "to", "from", stamp, content) SELECT gen_random_uuid(), 'p' || n % 3 + 1, 'p1', n, 'x' FROM generate_series(1, 20000) n`,
      );
    }
    if (state.endsWith(', analyzed')) await server.query('ANALYZE');
    for (const [n, [name, text]] of texts().entries()) {
      const statement = `plan_${n}_${state.replace(/\W/g, '')}`;
      await server.query(`PREPARE ${statement} AS ${text}`);
      const parameters = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));
      const nulls = parameters === 0 ? '' : `(${Array(parameters).fill('NULL').join(', ')})`;
      const plan = (await server.query(`EXPLAIN EXECUTE ${statement}${nulls}`)).map((row) => String(row['QUERY PLAN']));
      const shown = `${name}, ${state}:\n${plan.join('\n')}`;
      assert.ok(!plan.some((step) => /^\s*(->\s*)?(Incremental )?Sort\b/.test(step)), shown);
      if (whole.includes(name)) continue;
      const scans = plan.filter((step) => /Seq Scan on ipcm_|Bitmap Heap/.test(step));
      assert.deepEqual(scans, [], shown);
    }
  }
});
