/** What a case is: its part in the first process, its parts in the others, and the figures that come out. */
import type { Contender, Hub, Link } from '../contenders/contender.ts';

/** How much work a run does. */
export interface Effort {
  /** Times that each contender is started, in turn with the others, and repetitions each time. */
  readonly rounds: number;
  readonly repetitions: number;
  /** Milliseconds of warm-up, and of each repetition, where time decides. */
  readonly warmUp: number;
  readonly duration: number;
  /** Messages that a repetition sends at most. */
  readonly messages: number;
  /** Messages in an otherwise idle time. */
  readonly wakeUps: number;
  /** Backlogs are read up to this size. */
  readonly backlog: number;
  /** Broadcasts go to at most so many peers. */
  readonly peers: number;
  /** Clients on one bus. */
  readonly crowd: number;
  /** Milliseconds until a contender is said to have no result. */
  readonly timeout: number;
}

/** What a case measures. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** Show how it compares to the reference. */
  readonly ratio?: boolean;
}

/** Values by metric, one per repetition. */
export type Figures = Record<string, number[]>;

/** Another process that takes part. */
export interface Far {
  /** Has it join under these names. */
  join(...peers: string[]): Promise<void>;
  /** The link to one of its peers. */
  link(peer: string): Promise<Link>;
  /** Calls one of the case's functions over there. */
  ask<T>(call: string, argument?: number): Promise<T>;
  end(): Promise<void>;
}

/** What the part in the first process gets. */
export interface NearStage {
  readonly contender: Contender;
  readonly hub: Hub;
  readonly effort: Effort;
  /** Starts another process. */
  readonly start: () => Promise<Far>;
}

/** What the part in another process gets. */
export interface FarStage {
  readonly contender: Contender;
  /** The links of the peers that joined here; filled before anything is asked. */
  readonly links: Map<string, Link>;
}

/** What the first process may ask of another one. */
export type Answers = Record<string, (argument: number) => unknown>;

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** On which processors the two run: as the system likes, on one each, or both on the same. */
  readonly processors: 'any' | 'two' | 'one';
  /** The other process answers requests, where the contender has services. */
  readonly serves?: boolean;
  fits(contender: Contender, effort: Effort): boolean;
  near(stage: NearStage): Promise<Figures>;
  far(stage: FarStage): Answers;
}

/** Microseconds on the clock that all processes of the machine share. */
export function micros(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Makes the figures of several repetitions out of those of each. */
export async function repeat(
  repetitions: number,
  once: (repetition: number) => Promise<Record<string, number>>,
): Promise<Figures> {
  const figures: Figures = {};
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const [metric, value] of Object.entries(await once(repetition))) (figures[metric] ??= []).push(value);
  }
  return figures;
}
