/** Temporary stores: a private directory with the file in it, and a record of who made it. */
import { basename, dirname } from 'node:path';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { removeTree, storeError } from '../directory/files.ts';
import { makeInner, readOwner, writeOwner, type Owner } from '../directory/owner.ts';
import { makeTemporaryRoute, temporaryPrefix } from '../directory/route.ts';

const file = 'bus.db';

/** Makes the directory; returns the path of the file to be made in it. */
export function makeTemporary(protocol: string, owner: ProcessIdentity, guard: boolean): string {
  const route = makeTemporaryRoute(protocol);
  try {
    makeInner({ route, protocol });
    writeOwner({ route, protocol }, owner, guard);
  } catch (error) {
    removeTree(route);
    throw error;
  }
  return `${route}/${file}`;
}

/** Path of the database in such a directory. */
export function databaseIn(folder: string): string {
  return `${folder}/${file}`;
}

function ownerOf(path: string, protocol: string): Owner | undefined {
  const folder = dirname(path);
  if (basename(path) !== file || !basename(folder).startsWith(temporaryPrefix)) return undefined;
  try {
    const owner = readOwner(folder);
    return owner?.protocol === protocol ? owner : undefined;
  } catch (error) {
    throw storeError(error, 'read who owns the store', { route: path, protocol });
  }
}

/** True for the file of a temporary store: its directory holds nothing else. */
export function isTemporary(path: string, protocol: string): boolean {
  return ownerOf(path, protocol) !== undefined;
}

/** True for one that goes with its owner: there is no use in its surviving a power cut. */
export function isFleeting(path: string, protocol: string): boolean {
  return ownerOf(path, protocol)?.guard === true;
}
