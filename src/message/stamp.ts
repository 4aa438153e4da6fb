/**
 * Time stamps of messages, strictly rising within the process.
 *
 * Readers sort by stamp, and the SQL protocols store nothing else to sort by, so two messages of one process must never
 * share a stamp. The clock is read in milliseconds (it is the cheapest), and each stamp is at least one microsecond after
 * the last, also when the clock steps back. A double holds today's epoch in seconds to 0.24 µs, so microseconds are exact
 * enough to keep distinct stamps distinct.
 */

let last = 0;

/** Microseconds since the epoch, greater than any value returned before in this process. */
export function nextMicros(): number {
  const now = Date.now() * 1000;
  last = now > last ? now : last + 1;
  return last;
}

/** A message stamp: epoch seconds with microseconds, strictly rising within the process. */
export function nextStamp(): number {
  return nextMicros() / 1e6;
}
