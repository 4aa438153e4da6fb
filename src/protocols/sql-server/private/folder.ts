/**
 * The folder of a private server.
 *
 * | entry | |
 * |---|---|
 * | `.ipcm/owner` | who made the store, as in the other temporary stores |
 * | `.ipcm/server` | the server's process, and on the second line the name to connect as |
 * | `.ipcm/log` | what the server says, and before it what made its data |
 * | `.ipcm/pid` | the server's pid, as the shell that watches over it tells it |
 * | `d/` | its data |
 * | `r/` | its socket |
 *
 * `d/` and `r/` belong to the user that the server runs as; whoever made the store, root perhaps, writes nothing there.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname } from 'node:path';
import { formatIdentity, parseIdentity, type ProcessIdentity } from '../../../liveness/identity.ts';
import { readSmall, removeTree, replaceFile, storeError } from '../../directory/files.ts';
import { hiddenFolder, makeInner, readOwner, stagingPath, writeOwner, type Owner } from '../../directory/owner.ts';
import { isRoomy, temporaryPrefix, temporaryRoot } from '../../directory/route.ts';
import type { RunAs } from './programs.ts';
import type { Folders } from './recipe.ts';

/** Longest folder in whose `r/` a socket's path stays within the kernel's 107 bytes. */
const longest = 80;

/** Makes the folder with all that is in it but the data. */
export function makeFolder(protocol: string, owner: ProcessIdentity, guard: boolean, as: RunAs | undefined): string {
  const folder = makeShort(protocol, as !== undefined);
  const place = { route: folder, protocol };
  try {
    makeInner(place);
    writeOwner(place, owner, guard);
    const { data, run } = foldersOf(folder);
    for (const inner of [data, run]) {
      mkdirSync(inner, { mode: 0o700 });
      if (as !== undefined) chownSync(inner, as.uid, as.gid);
    }
    // The server's user has to get through to what is its own, and sees nothing else.
    if (as !== undefined) chmodSync(folder, 0o711);
    return folder;
  } catch (error) {
    removeTree(folder);
    throw storeError(error, 'make the folder of a private server', place);
  }
}

/** Where other temporary stores go, unless that is too deep for a socket, or closed to the user that the server runs as. */
function makeShort(protocol: string, forOthers: boolean): string {
  const fits = (root: string): boolean =>
    Buffer.byteLength(root) + temporaryPrefix.length + 7 <= longest && (!forOthers || isOpen(root));
  const root = [temporaryRoot(), tmpdir(), ...(isRoomy('/dev/shm') ? ['/dev/shm'] : [])].find(fits) ?? '/tmp';
  try {
    return mkdtempSync(`${root}/${temporaryPrefix}`);
  } catch (error) {
    throw storeError(error, 'make a temporary directory', { route: root, protocol });
  }
}

/** True where every user gets through. */
function isOpen(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The server's own folders. */
export function foldersOf(folder: string): Folders {
  return { data: `${folder}/d`, run: `${folder}/r` };
}

/** The folder of which a path in its `r/`, or that one itself, is; undefined for any other path. */
export function folderOfSocket(path: string | undefined): string | undefined {
  if (path === undefined || !path.startsWith('/')) return undefined;
  const run = basename(path) === 'r' ? path : dirname(path);
  const folder = dirname(run);
  return basename(run) === 'r' && basename(folder).startsWith(temporaryPrefix) ? folder : undefined;
}

/** The server of a folder. */
export interface ServerRecord {
  readonly identity: ProcessIdentity;
  /** Name of the administrator. */
  readonly user: string;
}

const inHidden =
  (file: string) =>
  (folder: string): string =>
    `${folder}/${hiddenFolder}/${file}`;

const recordPath = inHidden('server');

/** Path of the server's log. */
export const logPath = inHidden('log');

/** Path of the file with the server's pid. */
export const pidPath = inHidden('pid');

/** The server's pid, once it is started. */
export function readPid(folder: string): number | undefined {
  const [, digits] = /^(\d+)\n/.exec(readSmall(pidPath(folder), 32)?.toString('latin1') ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Records the server. */
export function writeServer(folder: string, protocol: string, own: ProcessIdentity, server: ServerRecord): void {
  const lines = `${formatIdentity(server.identity)}\n${server.user}\n`;
  try {
    replaceFile(recordPath(folder), Buffer.from(lines), stagingPath(folder, own));
  } catch (error) {
    throw storeError(error, 'record the server', { route: folder, protocol });
  }
}

/** The server of a folder, as far as it is recorded. */
export function readServer(folder: string): ServerRecord | undefined {
  const [line = '', user = ''] = readSmall(recordPath(folder), 4096)?.toString('utf8').split('\n') ?? [];
  const identity = parseIdentity(line);
  return identity === undefined ? undefined : { identity, user };
}

/** Who made the private server in a folder, if that is one of this protocol. */
export function privateOwner(folder: string | undefined, protocol: string): Owner | undefined {
  if (folder === undefined) return undefined;
  const owner = readOwner(folder);
  return owner?.protocol === protocol ? owner : undefined;
}
