/**
 * Message ids: UUID version 7 (RFC 9562, section 5.7), whose order as text is the order of their making.
 *
 * The sub-millisecond part sits in `rand_a` (method 3 of section 6.2), so that ids of one process rise strictly and a
 * directory of files named by them needs no look into the files to be read in order. The 62 other bits are random, drawn
 * from the system in pools, since a call into the generator for each id would cost more than the rest of the message.
 */
import { randomFillSync } from 'node:crypto';

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const pool = new Uint8Array(8 * 256);
let offset = pool.length;

function random(index: number): string {
  return hex[pool[index] ?? 0] ?? '00';
}

/** A UUID version 7 for a moment in microseconds since the epoch. */
export function uuidAt(micros: number): string {
  if (offset >= pool.length) {
    randomFillSync(pool);
    offset = 0;
  }
  const at = offset;
  offset += 8;
  const millis = Math.floor(micros / 1000);
  const fraction = Math.floor(((micros - millis * 1000) * 4096) / 1000);
  const time = millis.toString(16).padStart(12, '0');
  const variant = hex[((pool[at] ?? 0) & 0x3f) | 0x80] ?? '80';
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-7${fraction.toString(16).padStart(3, '0')}-${variant}${random(at + 1)}-` +
    random(at + 2) +
    random(at + 3) +
    random(at + 4) +
    random(at + 5) +
    random(at + 6) +
    random(at + 7)
  );
}
