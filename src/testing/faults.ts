/** The faults that the suite injects, by name. */
import { readProcStat } from '../liveness/identity.ts';
import type { ChildClient } from './child-process.ts';
import { until } from './until.ts';

/** State letter of a process in /proc; undefined where there is none. */
const stateOf = (pid: number): string | undefined => readProcStat(pid)?.state;

/** True while a process lives: one that waits to be collected, by whoever inherited it, does not. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    // ESRCH: there is none.
    return false;
  }
  return stateOf(pid) !== 'Z';
}

/** Kills a child without a chance to clean up (`kill -9`) and waits until the system has taken it away. */
export async function killHard(child: ChildClient): Promise<void> {
  process.kill(child.pid, 'SIGKILL');
  await child.ended;
}

/** Stops a child as a debugger or Ctrl-Z would; it is alive, and does nothing. Returns how to let it go on. */
export async function stop(child: ChildClient): Promise<() => void> {
  process.kill(child.pid, 'SIGSTOP');
  await until('the child is stopped', () => stateOf(child.pid) === 'T');
  return () => process.kill(child.pid, 'SIGCONT');
}

/**
 * Makes a child that was started in a shell a zombie: dead, and still in the process table since nobody has collected it.
 * Returns how to have it collected.
 */
export async function makeZombie(child: ChildClient): Promise<() => Promise<void>> {
  process.kill(child.outerPid, 'SIGSTOP');
  await until('the shell is stopped', () => stateOf(child.outerPid) === 'T');
  process.kill(child.pid, 'SIGKILL');
  await until('the child is a zombie', () => stateOf(child.pid) === 'Z');
  return async () => {
    process.kill(child.outerPid, 'SIGCONT');
    await child.ended;
  };
}
