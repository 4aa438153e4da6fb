/**
 * A statement without the event loop, for the end of the process: written to the socket as it is, and the answer read from it.
 * The protocol: https://mariadb.com/kb/en/clientserver-protocol/, which both servers speak.
 */
import type { Value } from '../sql/query.ts';
import type { Bound } from '../sql-server/database.ts';
import { readSome, writeAll } from '../sql-server/synchronous.ts';

/** Most bytes of one packet, less its command. */
const longest = 0xff_ff_fe;
const command = 0x03;

/** A value as a literal: at the end there is no time for a prepared statement. */
function literal(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') return `X'${Buffer.from(value).toString('hex')}'`;
  // Whatever the server's mode is, there is nothing in it to be escaped.
  return /^[\w .:@-]*$/.test(value) ? `'${value}'` : `_utf8mb4 X'${Buffer.from(value).toString('hex')}'`;
}

/** The statement with its values in it: question marks stand for nothing else in ours. */
export function spelled({ text, values }: Bound): string {
  let n = 0;
  return text.replaceAll('?', () => literal(values[n++] ?? null));
}

/**
 * Runs a statement on a socket on which nothing is under way: how many rows it changed, or undefined where it failed, where it
 * returns rows, and where no answer came.
 */
export function exchange(descriptor: number, bound: Bound, milliseconds: number): number | undefined {
  const end = performance.now() + milliseconds;
  const text = Buffer.from(spelled(bound));
  if (text.length > longest) return undefined;
  const head = Buffer.alloc(5);
  head.writeUIntLE(text.length + 1, 0, 3);
  head[4] = command;
  if (!writeAll(descriptor, Buffer.concat([head, text]), end)) return undefined;
  let answer = Buffer.alloc(0);
  const chunk = Buffer.alloc(4096);
  while (answer.length < 4 || answer.length < 4 + answer.readUIntLE(0, 3)) {
    const read = readSome(descriptor, chunk, end);
    if (read === undefined) return undefined;
    answer = Buffer.concat([answer, read]);
  }
  return changesOf(answer.subarray(4));
}

/** The number in an OK packet, in its own form of one to nine bytes. */
function changesOf(packet: Buffer): number | undefined {
  if (packet[0] !== 0) return undefined;
  const first = packet[1] ?? 0;
  if (first < 0xfb) return first;
  if (first === 0xfc) return packet.readUInt16LE(2);
  return first === 0xfd ? packet.readUIntLE(2, 3) : Number(packet.readBigUInt64LE(2));
}
