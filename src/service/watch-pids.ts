/** Notices the end of processes that a service depends on. */
import { isAlive } from '../liveness/alive.ts';
import { ownIdentity, readProcStat, type ProcessIdentity } from '../liveness/identity.ts';

/** Milliseconds between looks: a look is a system call or two. */
const interval = 200;

/** Calls `ended` once with the first of the processes that is found dead. Returns how to stop. */
export function watchPids(pids: readonly number[], ended: (pid: number) => void): () => void {
  const { boot, namespace } = ownIdentity();
  // With its start time a process is not taken for another one that gets its number.
  const watched = pids.map((pid): ProcessIdentity => ({ pid, start: readProcStat(pid)?.start, boot, namespace }));
  const look = (): void => {
    const dead = watched.find((identity) => !isAlive(identity));
    if (dead === undefined) return;
    clearInterval(timer);
    ended(dead.pid);
  };
  const timer = setInterval(look, interval).unref();
  look();
  return () => clearInterval(timer);
}
