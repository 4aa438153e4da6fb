/**
 * The names of message files. Ours are UUIDs of version 7, whose order as text is the order of their making; those of the
 * reference are of version 4 and say nothing.
 */
import { uuidAt } from '../../message/id.ts';
import { nextMicros } from '../../message/stamp.ts';

/** Suffix of a whole message. */
export const ready = '.ready';
/** Suffix of a message being written by the reference. */
export const pend = '.pend';

/** Some 28 years in microseconds: names of messages put back lie that far in the past, so that they come before all others. */
const backwards = 9e14;

/** The next name for a message: greater than all names made in this process before. */
export function nextName(): string {
  return uuidAt(nextMicros()) + ready;
}

/** The next name for a message put back: smaller than that of any message sent, greater than of those put back before. */
export function requeuedName(): string {
  return uuidAt(nextMicros() - backwards) + ready;
}

/** True for names that sort by time: a version 7 UUID in lower case. */
export function isOrdered(name: string): boolean {
  return (
    name.length === 42 && name.charCodeAt(14) === 0x37 && name.charCodeAt(8) === 0x2d && name.charCodeAt(13) === 0x2d
  );
}

/** Milliseconds since the epoch in an ordered name. */
export function millisOf(name: string): number {
  return parseInt(name.slice(0, 8), 16) * 65_536 + parseInt(name.slice(9, 13), 16);
}

/** A text below all names made at or after a moment, and above those made in milliseconds before. */
export function nameBound(millis: number): string {
  const time = Math.floor(millis).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7`;
}
