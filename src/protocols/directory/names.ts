/**
 * How a client's name becomes a file name, and back.
 *
 * A name that can be a file name is one. Any other is hashed: `h-` and the first 40 hex digits of its SHA-256, with the
 * name itself in the sidecar `.name`. The reference hashes names that are too long, hold a control character, `/` or `\`,
 * or begin with `h-`. We hash two more kinds: names that begin with `.`, whose plain entry would be hidden, and names that end
 * like a sidecar (`x.pid`), whose plain entry would be taken for one. As plain entries they work for nobody, while any
 * `h-` entry is listed by the reference, which reads such a client's messages but cannot address it.
 */
import { IpcError, quote } from '../../errors.ts';
import { readSmall } from './files.ts';

/** The files that may stand beside an entry. */
export const sidecars = ['.pid', '.name', '.stats', '.resume', '.suspend'] as const;

/** One of the suffixes in {@link sidecars}. */
export type Sidecar = (typeof sidecars)[number];

/** Longest name in bytes of UTF-8. */
export const longestName = 65_536;

/** Length in bytes of an entry whose name is hashed. */
export const hashedLength = 42;

const reserved = /\.(?:pid|name|stats|resume|suspend|pend)$/;
// eslint-disable-next-line no-control-regex
const unusable = /^(?:h-|\.)|[\u0000-\u001f\u007f/\\]/;
const loneSurrogate = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

function refuse(name: unknown, why: string, remedy: string): never {
  throw new IpcError('IPCM_INVALID_NAME', `${quote(name)} is no client name: ${why}; ${remedy}`);
}

/** Throws `IPCM_INVALID_NAME` unless `name` can be the name of a client. */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') refuse(name, `it is a ${name === null ? 'null' : typeof name}`, 'use a string');
  if (name === '') refuse(name, 'it is empty', 'use at least one character');
  if (name.startsWith('_')) refuse(name, 'names that begin with "_" are reserved', 'begin it with another character');
  if (loneSurrogate.test(name)) refuse(name, 'it holds half a surrogate pair', 'use well-formed Unicode');
  if (name.length > longestName || Buffer.byteLength(name) > longestName) {
    refuse(name, `it is longer than ${longestName} bytes`, 'use a shorter one');
  }
}

/** The file name for a client's name on a store whose entries may have `limit` bytes. */
export function entryFor(name: string, limit: number): string {
  checkName(name);
  const plain = !unusable.test(name) && !reserved.test(name) && Buffer.byteLength(name) <= limit;
  if (plain) return name;
  if (limit < hashedLength) {
    const why = `its entries may have ${Math.max(limit, 0)} bytes, and ${hashedLength} are needed`;
    throw new IpcError(
      'IPCM_ROUTE_INVALID',
      `the route is too long for the client ${quote(name)}: ${why}; use a shorter route`,
    );
  }
  return hashedEntry(name);
}

/** The hashed file name for a client's name. */
export function hashedEntry(name: string): string {
  // Loaded when the first long name comes: it takes 6 ms, and most processes never meet one.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return `h-${createHash('sha256').update(name, 'utf8').digest('hex').slice(0, 40)}`;
}

/** True for entries that carry their real name in a `.name` sidecar. */
export function isHashed(entry: string): boolean {
  return entry.startsWith('h-');
}

/** True for file names in a route that may be a client's entry: neither hidden nor a sidecar. */
export function isEntryName(file: string): boolean {
  return file !== '' && !file.startsWith('.') && !file.startsWith('_') && !reserved.test(file);
}

/** The client's name of an entry, or undefined where its `.name` is missing (it is being made or removed). */
export function nameOf(route: string, entry: string): string | undefined {
  if (!isHashed(entry)) return entry;
  const bytes = readSmall(`${route}/${entry}.name`, longestName + 1);
  if (bytes === undefined) return undefined;
  const text = bytes.toString('utf8');
  // A final newline is the name's own only if the hash says so.
  const name = text.endsWith('\n') && hashedEntry(text) !== entry ? text.slice(0, -1) : text;
  return name === '' || name.length > longestName ? undefined : name;
}
