/** A store whose owner was killed: the last service to leave it removes it, so that nothing stays behind. */
import { isExiting } from '../liveness/alive.ts';
import { resolveProtocol } from '../protocols/resolve.ts';
import { parseInfo } from '../spawn/connection-info.ts';

/** Milliseconds that the kernel may take to end a process, and between looks whether it has. */
const [longest, interval] = [1000, 2];

/** Removes the temporary store of an info if its owner has died and nobody uses it. */
export async function removeIfOrphaned(info: string): Promise<void> {
  const [protocolName, , route] = parseInfo('ipcmService', info);
  const protocol = await resolveProtocol(protocolName);
  // A process that is killed closes its descriptors, by which we know, before it counts as ended.
  for (const end = performance.now() + longest; isExiting(process.ppid) && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
  for (const stale of (await protocol.findStale?.()) ?? []) if (stale.route === route) await stale.remove();
}
