/** A store whose owner was killed: the last service to leave it removes it, so that nothing stays behind. */
import { resolveProtocol } from '../protocols/resolve.ts';
import { parseInfo } from '../spawn/connection-info.ts';

/** Removes the temporary store of an info if its owner has died and nobody uses it. */
export async function removeIfOrphaned(info: string): Promise<void> {
  const [protocolName, , route] = parseInfo('ipcmService', info);
  const protocol = await resolveProtocol(protocolName);
  for (const stale of (await protocol.findStale?.()) ?? []) if (stale.route === route) await stale.remove();
}
