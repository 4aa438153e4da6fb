/** What the built files have in the place of `performance.now`. */

/** Milliseconds of the same clock, from another origin. */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
