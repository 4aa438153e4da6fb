/** A transaction at the end of the process, when there is no event loop any more. */
import type { Result, Work } from '../sql/query.ts';
import type { Bound } from './database.ts';
import type { Line } from './line.ts';

/** How long the end of the process may be held up, in milliseconds. */
const patience = 500;

const nothing: Result = { rows: [], changes: 0 };
const plain = (text: string): Bound => ({ text, values: [], rows: false });

/** Runs work in a transaction; false where that cannot be. */
export function writeAtExit(line: Line, work: () => Work<void>): boolean {
  const { link, gate } = line;
  // In the middle of something the answers would be taken for others; a transaction of somebody else would be joined.
  if (link === undefined || !(gate.idle || (link.direct === true && gate.open))) return false;
  const { begin, commit, rollback } = line.database.transaction;
  const end = performance.now() + patience;
  const run = (bound: Bound): Result | undefined => link.runSync?.(bound, end - performance.now());
  if (run(plain(begin)) !== undefined && drive(run, work) && run(plain(commit)) !== undefined) return true;
  // Others of this process come next. Where this fails too, what comes is no answer to their questions.
  if (link.runSync?.(plain(rollback), patience) === undefined) line.lose(link);
  return false;
}

function drive(run: (bound: Bound) => Result | undefined, work: () => Work<void>): boolean {
  const steps = work();
  let step = steps.next(nothing);
  while (step.done !== true) {
    const { statement } = step.value;
    const { text, rows } = statement;
    const all = 'many' in step.value ? step.value.many : [step.value.values];
    let changes = 0;
    let last = nothing;
    for (const values of all) {
      const result = run({ text, values, rows });
      if (result === undefined) return false;
      last = result;
      changes += result.changes;
    }
    step = steps.next({ rows: last.rows, changes });
  }
  return true;
}
