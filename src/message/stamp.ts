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

const zero = 0x30;
const point = 0x2e;
/** Bytes of a stamp with all its digits: ten for the seconds from 2001 to 2286, the point, six for the fraction. */
export const stampBytes = 17;
const seconds = new Uint8Array(10);
let secondsOf = -1;

/** Writes the {@link stampBytes} bytes of a stamp in decimal; the number nearest to what they say is `micros / 1e6`. */
export function writeStamp(micros: number, into: Uint8Array, at: number): void {
  const whole = Math.floor(micros / 1e6);
  if (whole !== secondsOf) {
    for (let n = 9, rest = whole; n >= 0; n--, rest = Math.floor(rest / 10)) seconds[n] = zero + (rest % 10);
    secondsOf = whole;
  }
  for (let n = 0; n < 10; n++) into[at + n] = seconds[n] ?? zero;
  into[at + 10] = point;
  let rest = (micros - whole * 1e6) | 0;
  for (let n = 16; n > 10; n--) {
    const tenth = (rest / 10) | 0;
    into[at + n] = zero + rest - tenth * 10;
    rest = tenth;
  }
}
