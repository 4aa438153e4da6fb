/**
 * A socket is made at a path aside, inside `.ipcm`, which is private whatever the mode of the route, and linked to its client's name
 * once it is listened at: that fails where something is there, and nobody finds a socket that refuses him.
 */
import { linkSync, renameSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../../errors.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { randomHex } from '../../message/random.ts';
import { look } from '../directory/files.ts';
import { hiddenFolder, stagingPath } from '../directory/owner.ts';

/** Longest path of a socket, in bytes: 108 on Linux and 104 elsewhere, with a zero byte at the end. */
const longestPath = 103;

/**
 * A path for a socket until it is listened at; undefined where there is no room for one. If it fits, it is removed with what else
 * a dead process was writing.
 */
export function privatePath(path: string, identity: ProcessIdentity): string | undefined {
  const staging = stagingPath(dirname(path), identity);
  if (Buffer.byteLength(staging) <= longestPath) return staging;
  const folder = `${dirname(path)}/${hiddenFolder}/`;
  const room = Math.min(longestPath - Buffer.byteLength(folder), 16);
  return room < 4 ? undefined : folder + randomHex(8).slice(0, room);
}

/** Gives a socket its name, unless that is taken. */
export function publish(from: string, to: string): void {
  try {
    linkSync(from, to);
    unlinkSync(from);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    // A file system without hard links. The name is reserved by its pid file, so nobody of ours comes in between.
    if (look(to) !== undefined) throw Object.assign(new Error(`${to} is there already`), { code: 'EEXIST' });
    renameSync(from, to);
  }
}
