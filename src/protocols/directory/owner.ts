/**
 * The hidden folder `.ipcm` in a route: what only our implementation needs, where the reference does not look.
 *
 * | entry | content |
 * |---|---|
 * | `owner` | who made the store, `guard` or `keep`, the protocol, a random id of the store: one line each |
 * | `out/` | files being written, renamed into place when whole; their names begin with their writer's {@link processTag} |
 * | `claim/` | what a process has taken out of the route to remove it, see claims.ts |
 * | `rejected/` | message files that were none |
 * | `reaped` | one JSON line for each client that was reaped |
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { formatIdentity, parseIdentity, type ProcessIdentity } from '../../liveness/identity.ts';
import { randomHex } from '../../message/random.ts';
import type { Reaped } from '../../protocol/protocol.ts';
import {
  isDirectory,
  list,
  makeDirectory,
  readSmall,
  removeFile,
  removeTree,
  replaceFile,
  storeError,
  writeAll,
  type Place,
} from './files.ts';

/** Name of the hidden folder. */
export const hiddenFolder = '.ipcm';

/** A folder within the hidden one. */
export type Inner = 'out' | 'claim' | 'rejected';

/** Path of something in the hidden folder. */
export function innerPath(route: string, inner: Inner | 'owner' | 'reaped'): string {
  return `${route}/${hiddenFolder}/${inner}`;
}

/** Makes the hidden folders that are missing: a store made by the reference has none. */
export function makeInner(place: Place): void {
  try {
    makeDirectory(`${place.route}/${hiddenFolder}`);
    for (const inner of ['out', 'claim', 'rejected'] as const) {
      const path = innerPath(place.route, inner);
      if (!makeDirectory(path) && !isDirectory(path)) throw new Error(`${path} is not a directory`);
    }
  } catch (error) {
    throw storeError(error, 'make the folder .ipcm', place);
  }
}

/** A process in a file name: pid, start time and namespace in base 36. */
export function processTag(identity: ProcessIdentity): string {
  return [identity.pid, identity.start ?? 0, identity.namespace ?? 0]
    .map((part) => Number(part).toString(36))
    .join('-');
}

/** The process of such a tag. */
export function parseTag(tag: string): ProcessIdentity | undefined {
  const parts = tag.split('-').map((part) => parseInt(part, 36));
  const [pid, start, namespace] = parts;
  if (pid === undefined || !(pid > 0) || parts.length !== 3) return undefined;
  const known = (part: number | undefined): string | undefined =>
    part === undefined || !(part > 0) ? undefined : String(part);
  return { pid, start: known(start), boot: undefined, namespace: known(namespace) };
}

/** A fresh path for a file being written by this process. */
export function stagingPath(route: string, identity: ProcessIdentity): string {
  return `${innerPath(route, 'out')}/${processTag(identity)}.${randomHex(16)}.pend`;
}

/** Removes what a dead process was writing. */
export function removeStaging(route: string, identity: ProcessIdentity): void {
  const folder = innerPath(route, 'out');
  const prefix = `${processTag(identity)}.`;
  for (const file of list(folder)) if (file.startsWith(prefix)) removeFile(`${folder}/${file}`);
}

/** Who made a store. */
export interface Owner {
  readonly identity: ProcessIdentity;
  readonly guard: boolean;
  readonly protocol: string;
  /** Tells a store from another one made in its place: inode numbers are used again at once. */
  readonly id: string;
}

/** Records who owns the store, over any earlier owner. */
export function writeOwner(place: Place, identity: ProcessIdentity, guard: boolean): void {
  const id = readOwner(place.route)?.id ?? randomHex(16);
  const lines = `${formatIdentity(identity)}\n${guard ? 'guard' : 'keep'}\n${place.protocol}\n${id}\n`;
  try {
    replaceFile(innerPath(place.route, 'owner'), Buffer.from(lines), stagingPath(place.route, identity));
  } catch (error) {
    throw storeError(error, 'record the owner', place);
  }
}

/** Who owns the store, as far as it is recorded. */
export function readOwner(route: string): Owner | undefined {
  const [line = '', guard, protocol = '', id = ''] =
    readSmall(innerPath(route, 'owner'), 1024)?.toString('utf8').split('\n') ?? [];
  const identity = parseIdentity(line);
  return identity === undefined ? undefined : { identity, guard: guard === 'guard', protocol, id };
}

/** Removes a store's directory. The record of its owner goes last: what is left of it, should this end half-way, is known by that. */
export function removeStore(path: string): void {
  for (const file of list(path)) if (file !== hiddenFolder) removeTree(`${path}/${file}`);
  removeTree(path);
}

/** The record of reaped clients stops at this size: a store where so many die is not short of evidence. */
const largestLog = 1024 * 1024;

/** Appends to the record of reaped clients. */
export function logReaped(route: string, reaped: Reaped): void {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const descriptor = openSync(innerPath(route, 'reaped'), flags, 0o600);
  try {
    if (fstatSync(descriptor).size < largestLog) writeAll(descriptor, Buffer.from(`${JSON.stringify(reaped)}\n`));
  } finally {
    closeSync(descriptor);
  }
}

/** Everybody in the record of reaped clients. */
export function readReaped(route: string): Reaped[] {
  const text = readSmall(innerPath(route, 'reaped'), 2 * largestLog)?.toString('utf8') ?? '';
  const all: Reaped[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const { name, pid, lost } = JSON.parse(line) as Record<string, unknown>;
      if (typeof name === 'string')
        all.push({ name, pid: typeof pid === 'number' ? pid : undefined, lost: Number(lost) || 0 });
    } catch {
      // A line cut short by a full disk: what it said is lost.
    }
  }
  return all;
}
