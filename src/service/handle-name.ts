/**
 * Names for the clients behind handles. A store keeps the counts of every name that there ever was on it, and so does each
 * service of those who asked it: a process that makes a handle for each request must not make a name for each.
 */
import { randomHex } from '../message/random.ts';

/** Names that nobody has at present, by what they begin with. */
const free = new Map<string, string[]>();
/** So many beginnings are remembered. */
const most = 1000;

const ending = `-handle-${process.pid}-`;
/** Names that somebody has, and what they begin with. */
const taken = new Map<string, string>();

/** A name that nobody else has. */
export function takeHandleName(service: string): string {
  const beginning = service.slice(0, 100);
  const name = free.get(beginning)?.pop() ?? `${beginning}${ending}${randomHex(4)}`;
  taken.set(name, beginning);
  return name;
}

/** The client of that name has left: the next one may have it. Once for each name from here, and for others nothing. */
export function giveHandleName(name: string): void {
  const beginning = taken.get(name);
  if (beginning === undefined) return;
  taken.delete(name);
  const names = free.get(beginning);
  if (names !== undefined) names.push(name);
  else if (free.size < most) free.set(beginning, [name]);
}
