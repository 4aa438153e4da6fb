/** The outcome of a whole run, and what is read off it. */
import type { Case, Metric } from '../cases/case.ts';
import { reference } from '../contenders/index.ts';
import type { Machine } from '../machine.ts';
import type { Report } from '../pair/job.ts';

/** Of one case: what each contender reached. */
export interface CaseResult {
  readonly benchmark: Case;
  readonly reports: ReadonlyMap<string, Report>;
}

export interface RunResult {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly seconds: number;
  readonly results: readonly CaseResult[];
  /** Who did not take part, and why. */
  readonly absent: ReadonlyMap<string, string>;
}

export interface Summary {
  readonly best: number;
  readonly median: number;
  /** Best over the reference's best; undefined where the reference has none. */
  readonly ratio: number | undefined;
}

function bestOf(metric: Metric, values: readonly number[]): number {
  return metric.better === 'higher' ? Math.max(...values) : Math.min(...values);
}

function valuesOf(result: CaseResult, contender: string, metric: Metric): readonly number[] {
  const report = result.reports.get(contender);
  return report !== undefined && 'figures' in report ? (report.figures[metric.name] ?? []) : [];
}

/** Undefined where the contender has no figure. */
export function summarize(result: CaseResult, contender: string, metric: Metric): Summary | undefined {
  const values = valuesOf(result, contender, metric);
  if (values.length === 0) return undefined;
  const best = bestOf(metric, values);
  const median = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? best;
  const base = valuesOf(result, reference.name, metric);
  return { best, median, ratio: base.length === 0 ? undefined : best / bestOf(metric, base) };
}

/** Three digits that matter. */
export function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(Number(value.toPrecision(3))).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
