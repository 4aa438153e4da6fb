/**
 * The clock by which the kernel dates the start of processes (proc_pid_stat(5), field 22): hundredths of a second since
 * boot. With it one can tell whether a process was there when a request was sent, or has taken the name since.
 */
import { uptime } from 'node:os';

/** Clock ticks a second, as /proc has them on every Linux (USER_HZ). */
const ticksPerSecond = 100;

const origin = uptime() * 1000 - performance.now();

/** Now, in clock ticks since boot. */
export function bootTicks(): number {
  return ((origin + performance.now()) * ticksPerSecond) / 1000;
}
