/** Whether a recorded process still lives. A zombie is dead; a stopped, busy or foreign process is not. */
import { systemCode } from '../errors.ts';
import { ownIdentity, readProcStat, type ProcessIdentity } from './identity.ts';

/** True unless there is proof that the process has ended. */
export function isAlive(identity: ProcessIdentity): boolean {
  const own = ownIdentity();
  if (identity.boot !== undefined && own.boot !== undefined && identity.boot !== own.boot) return false;
  // Another pid namespace (a container that shares the directory): its numbers mean nothing here.
  if (identity.namespace !== undefined && own.namespace !== undefined && identity.namespace !== own.namespace)
    return true;
  if (identity.pid === own.pid) return identity.start === undefined || identity.start === own.start;
  if (!signalReaches(identity.pid)) return false;
  const stat = readProcStat(identity.pid);
  if (stat === undefined) return signalReaches(identity.pid);
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return identity.start === undefined || identity.start === stat.start;
}

/** True when a process runs where a process table can judge it: `own` is somebody of that boot and namespace. */
export function isOfThisHost(identity: ProcessIdentity, own: ProcessIdentity): boolean {
  return identity.boot === own.boot && identity.namespace === own.namespace;
}

/** True when a process of that number exists, whosever it is: the cheap half of {@link isAlive}, about 1 µs. */
export function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** A process in the midst of its end, which runs nothing any more; in include/linux/sched.h since ever. */
const exiting = 0x4;

/** True while the kernel ends a process that still counts as alive. */
export function isExiting(pid: number): boolean {
  const stat = readProcStat(pid);
  return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X' && (stat.flags & exiting) !== 0;
}

/** As the reference's `pid_is_running`: 1 if running, 0 if not, -1 if running and not ours to signal. */
export function pidIsRunning(pid: number): 1 | 0 | -1 {
  if (!Number.isSafeInteger(pid) || pid <= 0)
    throw new TypeError(`pidIsRunning: a pid is a positive integer, not ${pid}`);
  try {
    process.kill(pid, 0);
    return 1;
  } catch (error) {
    return systemCode(error) === 'EPERM' ? -1 : 0;
  }
}
