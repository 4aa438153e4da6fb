/**
 * A statement without the event loop, for the end of the process: written to the socket as it is, and the answer read from it.
 * Message formats: postgresql.org/docs/current/protocol-message-formats.html.
 */
import type { Value } from '../sql/query.ts';
import type { Bound } from '../sql-server/database.ts';
import { readSome, writeAll } from '../sql-server/synchronous.ts';

/** A value as a literal: at the end there is no time for a prepared statement. */
function literal(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return `'${value}'`;
  if (typeof value === 'string') return `E'${value.replace(/['\\]/g, '\\$&')}'`;
  return `'\\x${Buffer.from(value).toString('hex')}'`;
}

/** The statement with its values in it. */
export function spelled({ text, values }: Bound): string {
  return text.replace(/\$(\d+)/g, (_, n: string) => literal(values[Number(n) - 1] ?? null));
}

/**
 * Runs a statement on a socket on which so many answers to others are still to come: how many rows it changed, or undefined
 * where no answer came.
 */
export function exchange(descriptor: number, bound: Bound, milliseconds: number, others: number): number | undefined {
  let left = others;
  const end = performance.now() + milliseconds;
  const text = Buffer.from(`${spelled(bound)}\0`);
  const head = Buffer.alloc(5);
  head.write('Q', 'latin1');
  head.writeInt32BE(text.length + 4, 1);
  if (!writeAll(descriptor, Buffer.concat([head, text]), end)) return undefined;
  let changes = 0;
  let failed = false;
  let buffer = Buffer.alloc(0);
  const chunk = Buffer.alloc(65_536);
  for (;;) {
    while (buffer.length >= 5 && buffer.length > buffer.readInt32BE(1)) {
      const size = buffer.readInt32BE(1) + 1;
      const body = buffer.subarray(5, size);
      const kind = String.fromCharCode(buffer[0] ?? 0);
      buffer = buffer.subarray(size);
      if (kind === 'C') changes += Number(/ (\d+)\0$/.exec(body.toString('latin1'))?.[1] ?? 0);
      if (kind === 'E') failed = true;
      if (kind !== 'Z') continue;
      if (left-- === 0) return failed ? undefined : changes;
      changes = 0;
      failed = false;
    }
    const read = readSome(descriptor, chunk, end);
    if (read === undefined) return undefined;
    buffer = Buffer.concat([buffer, read]);
  }
}
