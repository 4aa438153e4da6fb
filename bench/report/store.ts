/** Keeps the figures of a run in bench/results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { markdownOf } from './markdown.ts';
import type { RunResult } from './result.ts';

const folder = join(import.meta.dirname, '../results');

/** Resolves to the names of the files written. */
export async function storeRun(run: RunResult): Promise<string[]> {
  const { machine, quick, seconds, results, absent } = run;
  const processor = machine.processor.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase();
  const json = {
    machine,
    quick,
    seconds,
    results: Object.fromEntries(results.map(({ benchmark, reports }) => [benchmark.name, Object.fromEntries(reports)])),
    absent: Object.fromEntries(absent),
  };
  mkdirSync(folder, { recursive: true });
  const data = join(folder, `${machine.date.slice(0, 10)}-${processor}.json`);
  const page = join(folder, 'latest.md');
  const style = { printWidth: 120 };
  writeFileSync(data, await format(JSON.stringify(json), { ...style, parser: 'json' }));
  writeFileSync(page, await format(markdownOf(run), { ...style, parser: 'markdown' }));
  return [data, page];
}
