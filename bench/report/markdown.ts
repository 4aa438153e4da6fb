/** A whole run as a page. */
import { reference } from '../contenders/index.ts';
import { machineLine } from '../machine.ts';
import type { CaseResult, RunResult } from './result.ts';
import { rowsOf } from './rows.ts';

function section(result: CaseResult): string {
  const { head, body, notes } = rowsOf(result);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, column) => (column === 0 ? '---' : '---:')));
  const table = [line(head), rule, ...body.map(line)].join('\n');
  const failures = notes.map((note) => `\n\`\`\`\n${note}\n\`\`\``);
  return [`## ${result.benchmark.title}`, '', table, ...failures].join('\n');
}

export function markdownOf(run: RunResult): string {
  const absent = [...run.absent].map(([name, reason]) => `- ${name}: ${reason}`);
  return [
    '# Benchmark results',
    '',
    `Written by \`npm run bench -- --store\`${run.quick ? ', a quick run' : ''}. ${machineLine(run.machine)}.`,
    '',
    `Messages carry 100 bytes of data in the JSON envelope. Each figure is the best and the median of the repetitions; "÷ ${reference.name}" is the best over the best of a plain Unix socket in the same run, so more is better for rates and less is better for times. Protocols use the serializer JSON and a store in memory (tmpfs) unless their name says otherwise. LocalMemory stays within one process and is a line of reference.`,
    '',
    ...run.results.map((result) => `${section(result)}\n`),
    ...(absent.length === 0 ? [] : ['## Not measured', '', ...absent, '']),
  ].join('\n');
}
