/**
 * Message ids: UUID version 7 (RFC 9562, section 5.7), whose order as text is the order of their making.
 *
 * The sub-millisecond part sits in `rand_a` (method 3 of section 6.2), so that ids of one process rise strictly and a
 * directory of files named by them needs no look into the files to be read in order. The 62 other bits are random, drawn
 * from the system in pools, since a call into the generator for each id would cost more than the rest of the message; the
 * text of the millisecond is kept, since a burst makes hundreds of ids in one.
 */
import { fillRandom } from './random.ts';

/** Two digits for each byte: four for each word would save a tenth of an id, and cost each process 8 ms at its start. */
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Four words of 16 random bits for each id. */
const pool = new Uint16Array(4 * 256);
let offset = pool.length;
let lastMillis = -1;
let lastTime = '';

function timeOf(millis: number): string {
  if (millis === lastMillis) return lastTime;
  const text = millis.toString(16).padStart(12, '0');
  lastMillis = millis;
  lastTime = `${text.slice(0, 8)}-${text.slice(8)}-7`;
  return lastTime;
}

function digitsOf(bits: number): string {
  return `${hex[bits >> 8] ?? ''}${hex[bits & 0xff] ?? ''}`;
}

function random(index: number): string {
  return digitsOf(pool[index] ?? 0);
}

/** A UUID version 7 for a moment in microseconds since the epoch. */
export function uuidAt(micros: number): string {
  if (offset >= pool.length) {
    fillRandom(pool);
    offset = 0;
  }
  const at = offset;
  offset += 4;
  const millis = Math.floor(micros / 1000);
  const fraction = Math.floor(((micros - millis * 1000) * 4096) / 1000);
  const variant = digitsOf(((pool[at] ?? 0) & 0x3fff) | 0x8000);
  const time = timeOf(millis) + digitsOf(fraction).slice(1);
  return `${time}-${variant}-${random(at + 1)}${random(at + 2)}${random(at + 3)}`;
}
