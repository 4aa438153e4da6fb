/** No query's cost grows with the backlog: each goes along an index, and sorts nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statements } from '../../src/protocols/sqlite/schema.ts';
import { create, sql } from './scene.ts';

/** Statements that touch all clients, or all of one client's messages, since that is what they are for. */
const whole: readonly string[] = ['allStats', 'reaped', 'trimRejected', 'trimReaped'];

test('every statement searches by an index and sorts nothing', async (t) => {
  const store = await create(t);
  const database = sql(t, store.route);
  // Plans depend on what the planner knows of the tables: without statistics, and with those of a backlog.
  for (const analyzed of [false, true]) {
    if (analyzed) {
      database.exec("BEGIN; INSERT INTO ipcm_peers(id) VALUES ('a'), ('b')");
      const insert = database.prepare('INSERT INTO ipcm_messages VALUES (?, ?, ?, ?, ?, 0, NULL)');
      for (let n = 0; n < 5000; n++) insert.run(`id-${n}`, n % 2 ? 'a' : 'b', 'a', n, new Uint8Array(10));
      database.exec('COMMIT; ANALYZE');
    }
    for (const [name, { text }] of Object.entries(statements)) {
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all()
        .map(({ detail }) => String(detail));
      assert.ok(!plan.some((step) => step.includes('TEMP B-TREE')), `${name} sorts: ${plan.join('; ')}`);
      if (whole.includes(name)) continue;
      const scans = plan.filter((step) =>
        /^SCAN (?!CONSTANT ROW|\(|ipcm_peers USING COVERING INDEX ipcm_peers_here)/.test(step),
      );
      assert.deepEqual(scans, [], `${name}: ${plan.join('; ')}`);
    }
  }
});

test('what waits is read along the index of what waits', async (t) => {
  const database = sql(t, (await create(t)).route);
  const plan = (text: string): string[] =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${text}`)
      .all()
      .map(({ detail }) => String(detail));
  assert.deepEqual(plan(statements.waiting.text), [
    'SEARCH ipcm_messages USING INDEX ipcm_messages_waiting (to=? AND ipcm_turn=?)',
  ]);
  assert.deepEqual(plan(statements.removeWaiting.text), [
    'SEARCH ipcm_messages USING COVERING INDEX ipcm_messages_waiting (to=? AND ipcm_turn=? AND stamp<?)',
  ]);
  assert.deepEqual(plan(statements.remove.text), [
    'SEARCH ipcm_messages USING INDEX sqlite_autoindex_ipcm_messages_1 (id=?)',
  ]);
});
