/**
 * Message ids: UUID version 7 (RFC 9562, section 5.7), whose order as text is the order of their making.
 *
 * The sub-millisecond part sits in `rand_a` (method 3 of section 6.2), so that ids of one process rise strictly and a
 * directory of files named by them needs no look into the files to be read in order. The 62 other bits are random, drawn
 * from the system in pools, since a call into the generator for each id would cost more than the rest of the message; the
 * text of the millisecond is kept, since a burst makes hundreds of ids in one.
 */
import { fillRandom } from './random.ts';

/** Four words of 16 random bits for each id. The first time a few do, for processes that send little. */
const pool = new Uint16Array(4 * 1024);
let filled = 0;
let offset = 0;

/** Where the random words of the next id lie. */
function nextRandom(): number {
  if (offset >= filled) {
    const part = filled === 0 ? pool.subarray(0, 4 * 64) : pool;
    fillRandom(part);
    filled = part.length;
    offset = 0;
  }
  const at = offset;
  offset += 4;
  return at;
}

const digits = Buffer.from('0123456789abcdef', 'latin1');
const dash = 0x2d;
/** The 15 bytes that ids of one millisecond begin with, and which one that is. */
const timeBytes = new Uint8Array(15);
let timeBytesOf = -1;

function word(value: number, into: Uint8Array, at: number): void {
  into[at] = digits[value >> 12] ?? 0;
  into[at + 1] = digits[(value >> 8) & 15] ?? 0;
  into[at + 2] = digits[(value >> 4) & 15] ?? 0;
  into[at + 3] = digits[value & 15] ?? 0;
}

/** Writes the 36 bytes of {@link uuidAt} into a buffer. */
export function writeUuidAt(micros: number, into: Uint8Array, at: number): void {
  const bits = nextRandom();
  const millis = Math.floor(micros / 1000);
  if (millis !== timeBytesOf) {
    const text = millis.toString(16).padStart(12, '0');
    Buffer.from(timeBytes.buffer).write(`${text.slice(0, 8)}-${text.slice(8)}-7`, 'latin1');
    timeBytesOf = millis;
  }
  const fraction = Math.floor(((micros - millis * 1000) * 4096) / 1000);
  for (let n = 0; n < 15; n++) into[at + n] = timeBytes[n] ?? 0;
  into[at + 15] = digits[fraction >> 8] ?? 0;
  into[at + 16] = digits[(fraction >> 4) & 15] ?? 0;
  into[at + 17] = digits[fraction & 15] ?? 0;
  into[at + 18] = dash;
  word(((pool[bits] ?? 0) & 0x3fff) | 0x8000, into, at + 19);
  into[at + 23] = dash;
  word(pool[bits + 1] ?? 0, into, at + 24);
  word(pool[bits + 2] ?? 0, into, at + 28);
  word(pool[bits + 3] ?? 0, into, at + 32);
}

const written = Buffer.alloc(36);

/** A UUID version 7 for a moment in microseconds since the epoch. As one piece: put together from parts it takes half as long again. */
export function uuidAt(micros: number): string {
  writeUuidAt(micros, written, 0);
  return written.toString('latin1');
}
