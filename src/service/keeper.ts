/** The process that keeps a store for somebody else: see `Spawn.cleave`. */
import { ipcmSpawned } from '../bus.ts';
import type { ClientOptions } from '../client/options.ts';
import { isIpcError } from '../errors.ts';
import type { Assignment } from '../launch/assignment.ts';

/** Milliseconds between looks whether anybody is there. */
const interval = 500;

/** What {@link cleave} says beside the info. */
interface KeeperSettings {
  readonly guard: boolean;
  readonly signal: NodeJS.Signals | undefined;
  readonly sanityCheck: boolean;
  readonly idleTimeout: number;
  /** See `ShutdownOptions.timeout`. */
  readonly timeout?: number;
  readonly connect: ClientOptions;
}

/** Takes the store over, and shuts it down when it is told to, or when nobody has used it for some time. */
export async function runKeeper(
  { info, settings }: Assignment,
  starter: AbortSignal | undefined,
  ready: () => void,
): Promise<void> {
  // Whoever hands the store over has given up, and keeps it: nothing that an end does may be done to it.
  starter?.addEventListener('abort', () => process.kill(process.pid, 'SIGKILL'));
  const { idleTimeout, timeout, connect, ...rest } = settings as unknown as KeeperSettings;
  const { spawn, store } = await ipcmSpawned(info, { ...rest, ...connect });
  const told = new Promise<'told'>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve('told'));
  });
  ready();
  const unused = async (): Promise<'unused' | 'gone'> => {
    for (let since = Date.now(); Date.now() - since < idleTimeout;) {
      // The one timer that holds this process.
      await new Promise((resolve) => setTimeout(resolve, Math.min(interval, idleTimeout)));
      try {
        const peers = await store.peers();
        if (peers.some(({ state }) => state !== 'dead')) since = Date.now();
        else if (peers.length > 0) await store.reap();
      } catch (error) {
        if (isIpcError(error, 'IPCM_STORE_MISSING')) return 'gone';
        throw error;
      }
    }
    return 'unused';
  };
  if ((await Promise.race([told, unused()])) === 'gone') return;
  await spawn.shutdown({ timeout });
}
