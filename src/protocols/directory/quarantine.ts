/**
 * Where bytes go that were no message: kept for whoever looks into the matter, out of the way of those who read. At most a
 * hundred are kept, the oldest go first.
 */
import { uuidAt } from '../../message/id.ts';
import { nextMicros } from '../../message/stamp.ts';
import { list, moveFile, removeTree, writeNew } from './files.ts';
import { innerPath } from './owner.ts';

/** How many rejected files a store keeps. */
export const mostRejected = 100;

function rejectedPath(route: string, name: string): string {
  return `${innerPath(route, 'rejected')}/${uuidAt(nextMicros())}.${name}`;
}

function trim(route: string): void {
  const folder = innerPath(route, 'rejected');
  const files = list(folder).sort();
  for (const file of files.slice(0, Math.max(0, files.length - mostRejected))) removeTree(`${folder}/${file}`);
}

/** Moves a file (or directory, link, FIFO) into quarantine; returns where it is, or undefined where it is gone. */
export function quarantineFile(route: string, path: string): string | undefined {
  const target = rejectedPath(route, 'file');
  if (!moveFile(path, target)) return undefined;
  trim(route);
  return target;
}

/** Keeps bytes in quarantine; returns where. */
export function quarantineBytes(route: string, bytes: Uint8Array): string {
  const target = rejectedPath(route, 'bytes');
  writeNew(target, bytes);
  trim(route);
  return target;
}
