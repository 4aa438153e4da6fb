/** A case's table for the terminal. */
import Table from 'cli-table3';
import type { CaseResult } from './result.ts';
import { rowsOf } from './rows.ts';

export function tableOf(result: CaseResult): string {
  const { head, body, notes } = rowsOf(result);
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  table.push(...body.map((row) => [...row]));
  return [`\n${result.benchmark.title}`, table.toString(), ...notes].join('\n');
}
