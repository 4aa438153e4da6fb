// Measures the protocols of the bus against plain ways between two processes: npm run bench -- --help
import { cases } from './cases/index.ts';
import type { Case } from './cases/case.ts';
import { contenders, reference } from './contenders/index.ts';
import type { Contender } from './contenders/contender.ts';
import { describeMachine, machineLine } from './machine.ts';
import { readOptions } from './options.ts';
import { canPin, type Report } from './pair/job.ts';
import { clearOnExit, launch } from './pair/launch.ts';
import type { CaseResult } from './report/result.ts';
import { storeRun } from './report/store.ts';
import { tableOf } from './report/table.ts';

const { effort, quick, store, profile, wants } = readOptions(process.argv.slice(2));
const machine = describeMachine();
const begin = performance.now();
clearOnExit();

/** One line that is written over, where somebody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** Who takes part in a case; the reference comes along wherever something else does. */
function participants(benchmark: Case, present: readonly Contender[]): Contender[] {
  const fitting = present.filter(
    (contender) => contender.only?.includes(benchmark.name) !== false && benchmark.fits(contender, effort),
  );
  const wanted = fitting.filter(({ name }) => wants(name, benchmark.name));
  return fitting.filter((contender) => wanted.includes(contender) || (wanted.length > 0 && contender === reference));
}

/** Both figures of one who was measured twice; a failure stays one. */
function together(before: Report | undefined, next: Report): Report {
  if (before === undefined || 'failure' in next) return next;
  if ('failure' in before) return before;
  const figures = { ...before.figures };
  for (const [metric, values] of Object.entries(next.figures)) {
    figures[metric] = [...(figures[metric] ?? []), ...values];
  }
  return { figures };
}

/** In rounds: what slows the machine for a while slows all, and the best of each is of the same good time. */
async function runCase(benchmark: Case, present: readonly Contender[]): Promise<CaseResult> {
  const reports = new Map<string, Report>();
  const taking = participants(benchmark, present);
  for (let round = 0; round < effort.rounds; round++) {
    for (const contender of taking) {
      progress(`${benchmark.name}: ${contender.name}`);
      const report = await launch(benchmark, contender, effort, profile);
      reports.set(contender.name, together(reports.get(contender.name), report));
    }
  }
  progress('');
  return { benchmark, reports };
}

console.log(machineLine(machine));

const absent = new Map<string, string>();
for (const contender of contenders) {
  const reason = await contender.unavailable();
  if (reason !== undefined) absent.set(contender.name, reason);
}
const present = contenders.filter(({ name }) => !absent.has(name));

const pinnable = canPin();
const results: CaseResult[] = [];
for (const benchmark of cases) {
  if (benchmark.processors !== 'any' && !pinnable) {
    absent.set(benchmark.name, 'needs taskset and two processors');
    continue;
  }
  const result = await runCase(benchmark, present);
  if (result.reports.size === 0) continue;
  results.push(result);
  console.log(tableOf(result));
}

const seconds = Math.round((performance.now() - begin) / 1000);
if (absent.size > 0)
  console.log(`\nNot measured:\n${[...absent].map(([name, why]) => `  ${name}: ${why}`).join('\n')}`);
console.log(`\n${seconds} s`);
if (store)
  for (const file of await storeRun({ machine, quick, seconds, results, absent })) console.log(`Written: ${file}`);
