/** The table of a case, as text cells: one row per contender. */
import { reference } from '../contenders/index.ts';
import { figure, summarize, type CaseResult } from './result.ts';

export interface Rows {
  readonly head: readonly string[];
  readonly body: readonly (readonly string[])[];
  /** Failures in full. */
  readonly notes: readonly string[];
}

export function rowsOf(result: CaseResult): Rows {
  const { metrics } = result.benchmark;
  const hasReference = result.reports.has(reference.name);
  const head = ['contender'];
  for (const { name, unit, ratio } of metrics) {
    head.push(`${name}, ${unit}: best`, 'median');
    if (ratio === true && hasReference) head.push(`÷ ${reference.name}`);
  }
  const body: string[][] = [];
  const notes: string[] = [];
  for (const [contender, report] of result.reports) {
    const row = [contender];
    if ('failure' in report) {
      const [reason = ''] = report.failure.split('\n');
      row.push(reason.length > 40 ? 'failed, see below' : reason, ...Array<string>(head.length - 2).fill(''));
      if (reason.length > 40 || report.failure.includes('\n')) notes.push(`${contender}: ${report.failure}`);
    } else {
      for (const metric of metrics) {
        const summary = summarize(result, contender, metric);
        row.push(
          summary === undefined ? '' : figure(summary.best),
          summary === undefined ? '' : figure(summary.median),
        );
        if (metric.ratio === true && hasReference)
          row.push(summary?.ratio === undefined ? '' : summary.ratio.toFixed(3));
      }
    }
    body.push(row);
  }
  return { head, body, notes };
}
