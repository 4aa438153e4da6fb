/** JSON as it stands on the wire, ASCII only, and back: what both serializers of this package are made of. */
import { IpcError, quote } from '../errors.ts';
import { Message } from '../message/message.ts';

const digits = Buffer.from('0123456789abcdef', 'latin1');
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Names recur on a bus, so their JSON text is kept: a look-up costs 20 ns, `JSON.stringify` of a short name 80 ns. */
const names = new Map<string, string>();
const mostNames = 1000;

function nameText(name: string): string {
  let text = names.get(name);
  if (text !== undefined) return text;
  text = JSON.stringify(name);
  // Whoever makes names without end must not fill our memory. A non-string, from plain JavaScript, is never kept.
  if (names.size >= mostNames) names.clear();
  if (typeof name === 'string') names.set(name, text);
  return text;
}

/** Null is no content, and a value whose `toJSON` makes null of it is known for that only now. */
function refuseMadeNull(value: unknown, text: string | undefined): void {
  if (text === 'null' && value !== null) throw new TypeError('its toJSON makes null of it');
}

/**
 * The envelope of a message by hand: 0.7 µs for 240 bytes, where `JSON.stringify` of the same object takes 0.9 µs and
 * making that object some more. Undefined where only `toJSON` knows the form.
 */
function envelope(message: Message): string | undefined {
  if (message.extra !== undefined || message.toJSON !== Message.prototype.toJSON) return undefined;
  if (!Number.isFinite(message.stamp) || !Number.isFinite(message.stampOrd)) return undefined;
  const content: string | undefined = JSON.stringify(message.content);
  if (content === undefined) throw new TypeError(`its content is ${typeof message.content}`);
  refuseMadeNull(message.content, content);
  return (
    `{"id":${JSON.stringify(message.id)},"from":${nameText(message.from)},"to":${nameText(message.to)},` +
    `"stamp":${message.stamp},"stamp_ord":${message.stampOrd},` +
    (message.broadcast ? `"broadcast":1,"content":${content}}` : `"content":${content}}`)
  );
}

/**
 * `text` with every UTF-16 unit above ASCII as `\uXXXX`. Over bytes, since `replace` with a callback takes 0.6 ms for
 * 10,000 Cyrillic letters and this 0.07 ms. `surplus` is what UTF-8 needs beyond one byte a unit; it is one at least for
 * each such unit, so five bytes for each byte of it are room enough.
 */
function escape(text: string, surplus: number): string {
  const out = Buffer.allocUnsafe(text.length + 5 * surplus);
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      out[at++] = unit;
      continue;
    }
    out[at++] = 0x5c; // backslash
    out[at++] = 0x75; // u
    for (let shift = 12; shift >= 0; shift -= 4) out[at++] = digits[(unit >> shift) & 15] ?? 0;
  }
  return out.toString('latin1', 0, at);
}

/** The JSON text of `value`, ASCII only. Throws as {@link jsonOf}. */
export function toAsciiJson(value: unknown): string {
  return escapeAscii(jsonOf(value));
}

/**
 * The JSON text of `value`. Throws `IPCM_INVALID_CONTENT` for what has none: a BigInt, a cycle, a function, something nested
 * too deeply, or a `toJSON` that throws.
 */
export function jsonOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = (value instanceof Message ? envelope(value) : undefined) ?? JSON.stringify(value);
    refuseMadeNull(value, text);
  } catch (cause) {
    const remedy =
      cause instanceof RangeError
        ? 'it is nested too deeply or too large; send it in parts, or the path of a file'
        : 'send plain data (a BigInt as a string, an object that holds itself by its id)';
    // The first line only: V8 draws a picture of a cycle below it.
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1).join();
    throw new IpcError('IPCM_INVALID_CONTENT', `no JSON for this value (${reason}): ${remedy}`, { cause });
  }
  if (text === undefined) {
    throw new IpcError('IPCM_INVALID_CONTENT', `no JSON for ${typeof value}: send plain data, or leave it out`);
  }
  return text;
}

/** The same JSON text in ASCII. */
export function escapeAscii(text: string): string {
  // Counting UTF-8 bytes is the cheapest test for ASCII: 34 µs for 64 KB, where a regular expression takes 60 µs.
  const surplus = Buffer.byteLength(text) - text.length;
  return surplus === 0 ? text : escape(text, surplus);
}

/**
 * The value of JSON bytes that anybody may have written. The wire is ASCII, yet UTF-8 is understood too. Throws
 * `IPCM_MESSAGE_TOO_LARGE` for more than `limit` bytes and `IPCM_MALFORMED_MESSAGE` for what is no JSON.
 */
export function fromJsonBytes(bytes: Uint8Array, limit: number): unknown {
  if (bytes.length > limit) throw tooLarge(`${bytes.length} bytes`, limit);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new IpcError('IPCM_MALFORMED_MESSAGE', `${bytes.length} bytes that are neither ASCII nor UTF-8`, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new IpcError('IPCM_MALFORMED_MESSAGE', `no JSON: ${quote(text.slice(0, 60))}`, { cause });
  }
}

/** The error for a message of `size` (as text) where `limit` bytes are allowed. */
export function tooLarge(size: string, limit: number): IpcError {
  const remedy = 'raise the limit on the receiving side, or send the path of a file';
  return new IpcError('IPCM_MESSAGE_TOO_LARGE', `a message of ${size} is over the limit of ${limit} bytes: ${remedy}`);
}
