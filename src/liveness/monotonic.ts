/**
 * The clock that all processes of a boot share (CLOCK_MONOTONIC): nobody sets it, and while the machine is suspended it stands
 * still for all alike. The clock by which the kernel dates processes is no substitute: what tells its present time,
 * /proc/uptime, is another clock in many containers.
 */

/** Milliseconds by that clock. */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
