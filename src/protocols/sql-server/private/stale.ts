/** Folders of private servers whose owner was killed, and the watchdog with it. */
import { isAlive } from '../../../liveness/alive.ts';
import type { StaleStore } from '../../../protocol/protocol.ts';
import { findStaleStores } from '../../directory/stale.ts';
import { foldersOf } from './folder.ts';
import type { Folders, Recipe } from './recipe.ts';
import { stopPrivate } from './server.ts';
import { readOwner } from '../../directory/owner.ts';

/** Finds them. `routeOf` tells the route of the store in such folders. */
export function findStalePrivate(
  protocol: string,
  recipe: Recipe,
  routeOf: (folders: Folders) => string,
): readonly StaleStore[] {
  return findStaleStores(protocol).map((folder) => ({
    route: routeOf(foldersOf(folder.route)),
    owner: folder.owner,
    remove: async (): Promise<boolean> => {
      const owner = readOwner(folder.route);
      if (owner === undefined || isAlive(owner.identity)) return false;
      await stopPrivate(folder.route, recipe);
      return true;
    },
  }));
}
