/**
 * The short way from bytes to a message, for messages as this package writes them: an envelope of known fields in a known
 * order, so that only the content is left to `JSON.parse`, which takes half the time that the whole would take.
 *
 * Whatever differs from that form by a single byte is undefined here, and left to the long way, which alone knows what is
 * wrong with it. What is taken here is valid JSON throughout, of the same meaning: the content is a JSON text by itself.
 */
import { Message } from '../message/message.ts';
import { Pattern, isPlain } from './pattern.ts';

const opening = new Pattern('{"id":"');
const idAt = opening.length;
const idBytes = 36;
const idEnd = idAt + idBytes;
const afterStamp = new Pattern(',"stamp_ord":0,"content":');
const afterBroadcastStamp = new Pattern(',"stamp_ord":0,"broadcast":1,"content":');

/** Seconds of ten digits, the point and one digit at least. */
const shortestStamp = 12;
const point = 0x2e;
const closing = 0x7d;
const zero = 0x30;

/** What stands between the id and the stamp: who sends to whom. */
interface Pair {
  readonly from: string;
  readonly to: string;
  readonly pattern: Pattern;
}

/** Those that were met last; a process reads for few clients and hears from few at a time. */
const pairs: Pair[] = [];
const mostPairs = 8;
let nextPair = 0;
let lastPair: Pair | undefined;

/** The memory that was read last, and two views of it: made anew for each message they would cost as much as the rest. */
let memory: Buffer = Buffer.alloc(0);
let view: DataView = new DataView(memory.buffer);

/** Larger memory is not held on to. */
const mostKept = 1024 * 1024;

function forget(): void {
  memory = Buffer.alloc(0);
  view = new DataView(memory.buffer);
}

/** Microseconds of the stamp that `stampEnd` has read. */
let micros = 0;

/**
 * Where a stamp of ten digits, a point and up to six digits ends; -1 if it is another, or one after the year 2255, whose
 * microseconds no number holds.
 */
function stampEnd(bytes: Buffer, from: number): number {
  let value = 0;
  let at = from;
  for (; at < from + 10; at++) {
    const digit = (bytes[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  if (value < 1e9 || value > 9e9 || bytes[at++] !== point) return -1;
  let fraction = 0;
  let places = 0;
  for (; places < 6; places++, at++) {
    const digit = (bytes[at] ?? 0) - zero;
    if (digit < 0 || digit > 9) break;
    fraction = fraction * 10 + digit;
  }
  if (places === 0) return -1;
  for (; places < 6; places++) fraction *= 10;
  micros = value * 1e6 + fraction;
  return at;
}

function findPair(at: number): Pair | undefined {
  if (lastPair?.pattern.isAt(view, at) === true) return lastPair;
  const found = pairs.find(({ pattern }) => pattern.isAt(view, at));
  if (found !== undefined) lastPair = found;
  return found;
}

/** Gives a pair its pattern, once the long way has found out that it exists. */
export function learnPair(from: string, to: string): void {
  const text = `","from":${JSON.stringify(from)},"to":${JSON.stringify(to)},"stamp":`;
  // Escaped names are rare enough for the long way.
  if (!isPlain(from) || !isPlain(to) || pairs.some((pair) => pair.from === from && pair.to === to)) return;
  pairs[nextPair] = { from, to, pattern: new Pattern(text) };
  nextPair = (nextPair + 1) % mostPairs;
}

/** The message, or undefined where the long way has to look. */
export function readJsonMessage(bytes: Uint8Array): Message | undefined {
  if (memory.buffer !== bytes.buffer) {
    memory = Buffer.from(bytes.buffer);
    view = new DataView(bytes.buffer);
  }
  const start = bytes.byteOffset;
  const last = start + bytes.length - 1;
  // Patterns stop at the end of the memory by themselves; that they end within the message is checked by the next one.
  if (bytes.length < idEnd || memory[last] !== closing || !opening.isAt(view, start)) return undefined;
  const pair = findPair(start + idEnd);
  if (pair === undefined || !isPlainId(start + idAt)) return undefined;
  const stampAt = start + idEnd + pair.pattern.length;
  if (last < stampAt + shortestStamp) return undefined;
  const end = stampEnd(memory, stampAt);
  if (end < 0) return undefined;
  const broadcast = !afterStamp.isAt(view, end);
  if (broadcast && !afterBroadcastStamp.isAt(view, end)) return undefined;
  const contentAt = end + (broadcast ? afterBroadcastStamp.length : afterStamp.length);
  const stamp = micros / 1e6;
  if (contentAt >= last) return undefined;
  const content = contentOf(memory.toString('utf8', contentAt, last));
  const id = memory.toString('latin1', start + idAt, start + idEnd);
  if (memory.length > mostKept) forget();
  if (content === undefined || content === null) return undefined;
  return new Message({ id, from: pair.from, to: pair.to, stamp, stampOrd: 0, broadcast, content });
}

function contentOf(text: string): unknown {
  // What is not UTF-8 became this character; or it stands there in earnest, which the long way tells.
  if (text.includes('\ufffd')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Fields behind the content, or no JSON at all: the long way finds out.
    return undefined;
  }
}

/** True for an id without quotation mark, backslash and what is not ASCII, four bytes at a time. */
function isPlainId(at: number): boolean {
  let odd = 0;
  for (let n = 0; n < idBytes; n += 4) {
    const four = view.getInt32(at + n);
    const quotation = four ^ 0x22222222;
    const backslash = four ^ 0x5c5c5c5c;
    // The high bit of a byte is set where the byte is below 0x20, is zero after the exclusive or, or is no ASCII.
    odd |= ((four - 0x20202020) & ~four) | four;
    odd |= ((quotation - 0x01010101) & ~quotation) | ((backslash - 0x01010101) & ~backslash);
  }
  return (odd & 0x80808080) === 0;
}
