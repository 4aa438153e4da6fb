/** Runs one case of one contender in processes of their own, and sees to it that nothing of them stays. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Case, Effort } from '../cases/case.ts';
import type { Contender } from '../contenders/contender.ts';
import type { Job, Report } from './job.ts';

/** Takes back what is running: its processes and files. */
let abandon: () => void = () => undefined;

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}

function start(benchmark: Case, job: Job, profile: string | undefined): ChildProcess {
  const options = ['--expose-gc', ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`])];
  const command = [process.execPath, ...options, join(import.meta.dirname, 'near.ts'), JSON.stringify(job)];
  if (benchmark.processors === 'one') command.unshift('taskset', '-c', '0');
  const [program = '', ...args] = command;
  // A process group of its own: whatever it starts can be ended with it.
  // Compiled code is kept from process to process, or starting them would take most of the time.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/ipcm-bench') };
  return spawn(program, args, { detached: true, env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
}

/** Resolves to the figures, or to why there are none. */
export async function launch(benchmark: Case, contender: Contender, effort: Effort, profile?: string): Promise<Report> {
  const scratch = mkdtempSync(join(contender.base, 'ipcm-bench-'));
  const job: Job = { case: benchmark.name, contender: contender.name, effort, scratch };
  const child = start(benchmark, job, profile);
  const clear = (): void => {
    killGroup(child);
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  };
  abandon = clear;
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-2000)));
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Report>((resolve) => {
      let report: Report | undefined;
      timer = setTimeout(() => resolve({ failure: `no result in ${effort.timeout / 1000} s` }), effort.timeout);
      child.on('message', (message) => (report = message as Report));
      child.on('error', (error) => resolve({ failure: error.message }));
      child.on('close', (code, signal) => {
        resolve(report ?? { failure: `ended with ${signal ?? code}: ${complaints.trim()}` });
      });
    });
  } finally {
    clearTimeout(timer);
    clear();
    abandon = () => undefined;
  }
}

/** Leaves nothing behind when this process ends, whatever ends it. */
export function clearOnExit(): void {
  process.on('exit', () => abandon());
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.on(signal, () => process.exit(128 + number));
  }
}
