/** What the figures were measured on. */
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Load averages over 1, 5 and 15 minutes, before the run. */
  readonly load: readonly number[];
}

export function describeMachine(): Machine {
  return {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}

export function machineLine(machine: Machine): string {
  const { date, processor, cores, memoryGiB, kernel, node, load } = machine;
  return `${processor}, ${cores} cores, ${memoryGiB} GiB; ${kernel}; Node ${node}; ${date}; load before: ${load.join(' ')}`;
}
