/** Values as the library binds them. */
import type { Value } from '../sql/query.ts';

/** Most bytes that a value takes in a packet. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return 3 * value.length;
  return value instanceof Uint8Array ? value.length : 8;
}

/** Bytes of a packet beside its values, at most. */
export const frame = 1024;
/** Bytes that tell of each value what it is and how long, at most. */
const head = 12;

/** Most bytes that values take in a packet. */
export function sizeOfAll(values: readonly Value[]): number {
  let size = values.length * head;
  for (const value of values) size += sizeOf(value);
  return size;
}

/** Of bytes the library knows buffers only. */
export function bindable(value: Value): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value;
  return Buffer.from(value.buffer, value.byteOffset, value.length);
}
