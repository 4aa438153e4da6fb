/** What the processes of a benchmark tell each other besides the messages that are measured. */
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Case, Effort, Figures } from '../cases/case.ts';

/** What a process is started for; its only argument, as JSON. */
export interface Job {
  readonly case: string;
  readonly contender: string;
  readonly effort: Effort;
  /** Empty directory for files; removed when the job is over. */
  readonly scratch: string;
}

/** What the first process says at the end. */
export type Report = { readonly figures: Figures } | { readonly failure: string };

/** A question of the first process to another one, and the answer. Data messages have neither key. */
export interface Question {
  readonly ask: string;
  readonly number: number;
  readonly argument: unknown;
}
export interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly failure?: string;
}

export function jobOf(argument: string | undefined): Job {
  return JSON.parse(argument ?? '{}') as Job;
}

export function explain(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** True where processes can be told which processor to use. */
export function canPin(): boolean {
  if (process.platform !== 'linux' || availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-cp', String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Ties this process to a processor; its main thread only, so that collecting garbage stays where there is room. */
export function takeProcessor(processors: Case['processors'], index: number): void {
  if (processors === 'two')
    execFileSync('taskset', ['-cp', String(index % 2), String(process.pid)], { stdio: 'ignore' });
}
