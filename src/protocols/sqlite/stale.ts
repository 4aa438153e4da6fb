/** Temporary stores whose owner was killed, and that no living client uses. */
import { isIpcError } from '../../errors.ts';
import type { StaleStore } from '../../protocol/protocol.ts';
import { findStaleStores } from '../directory/stale.ts';
import type { SqlStore } from '../sql/store.ts';
import { databaseIn } from './temporary.ts';

/** Finds them. `open` opens the store at a route. */
export async function findStale(
  protocol: string,
  open: (route: string) => Promise<SqlStore>,
): Promise<readonly StaleStore[]> {
  const found: StaleStore[] = [];
  for (const folder of findStaleStores(protocol)) {
    const route = databaseIn(folder.route);
    const isUsed = (): Promise<boolean> => hasLivingClient(() => open(route));
    if (await isUsed()) continue;
    const remove = async (): Promise<boolean> => !(await isUsed()) && folder.remove();
    found.push({ route, owner: folder.owner, remove });
  }
  return found;
}

async function hasLivingClient(open: () => Promise<SqlStore>): Promise<boolean> {
  let store: SqlStore;
  try {
    store = await open();
  } catch (error) {
    // Its owner died before it was a store, or it is damaged. Locked, say, somebody may well be using it.
    return !isIpcError(error, 'IPCM_STORE_MISSING') && !isIpcError(error, 'IPCM_ROUTE_INVALID');
  }
  try {
    return (await store.peers()).some(({ state }) => state === 'active' || state === 'leaving');
  } finally {
    await store.close();
  }
}
