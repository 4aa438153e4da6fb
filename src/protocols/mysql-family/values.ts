/** Values as the library binds them. */
import type { Value } from '../sql/query.ts';

/** Most bytes that a value takes in a packet. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return 3 * value.length;
  return value instanceof Uint8Array ? value.length : 8;
}

/** Of bytes the library knows buffers only. */
export function bindable(value: Value): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value;
  return Buffer.from(value.buffer, value.byteOffset, value.length);
}
