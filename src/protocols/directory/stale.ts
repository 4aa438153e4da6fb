/** Temporary stores whose owner was killed before it could remove them. */
import { renameSync } from 'node:fs';
import { isAlive } from '../../liveness/alive.ts';
import { randomHex } from '../../message/random.ts';
import { isIpcError } from '../../errors.ts';
import type { StaleStore } from '../../protocol/protocol.ts';
import { isMissing, list, storeError } from './files.ts';
import { readOwner, removeStore, type Owner } from './owner.ts';
import { isSameProcess, readPid } from './pid-file.ts';
import { checkRoute, isSameRoute, temporaryPrefix, temporaryRoots, type RouteIdentity } from './route.ts';

/** Finds the guarded temporary stores of a protocol whose owner has died and whom no living client uses. */
export function findStaleStores(protocol: string): StaleStore[] {
  const found: StaleStore[] = [];
  for (const root of temporaryRoots()) {
    for (const file of readable(root)) {
      if (!file.startsWith(temporaryPrefix)) continue;
      const route = `${root}/${file}`;
      const judged = staleOwner(route, protocol);
      if (judged === undefined) continue;
      const { owner, identity } = judged;
      found.push({ route, owner: owner.identity, remove: () => removeStale(route, protocol, owner, identity) });
    }
  }
  return found;
}

function readable(root: string): string[] {
  try {
    return list(root);
  } catch {
    // A directory that we may not list holds nothing of ours.
    return [];
  }
}

function staleOwner(route: string, protocol: string): { owner: Owner; identity: RouteIdentity } | undefined {
  let identity: RouteIdentity;
  try {
    identity = checkRoute({ route, protocol });
  } catch (error) {
    // Somebody else's, unsafe, or gone meanwhile: not ours to remove.
    if (isIpcError(error)) return undefined;
    throw error;
  }
  const owner = readOwner(route);
  if (owner === undefined || !owner.guard || owner.protocol !== protocol || isAlive(owner.identity)) return undefined;
  return hasLivingClient(route) ? undefined : { owner, identity };
}

function hasLivingClient(route: string): boolean {
  return list(route).some((file) => {
    const pid = file.endsWith('.pid') ? readPid(`${route}/${file}`) : undefined;
    return pid !== undefined && isAlive(pid.identity);
  });
}

function removeStale(route: string, protocol: string, owner: Owner, identity: RouteIdentity): boolean {
  const now = staleOwner(route, protocol);
  if (now === undefined || !isSameProcess(now.owner.identity, owner.identity) || !isSameRoute(route, identity))
    return false;
  // Of several who clean up one renames it. Should that one be killed, the new name is found like any other.
  const tomb = `${route}.${randomHex(4)}`;
  try {
    renameSync(route, tomb);
  } catch (error) {
    if (isMissing(error)) return false;
    throw storeError(error, 'remove a stale store', { route, protocol });
  }
  removeStore(tomb);
  return true;
}
