/** Stores that must not outlive this process: removed at exit, as far as synchronous code can, and on signals if asked. */
import { ownIdentity } from '../liveness/identity.ts';

/** What a guard holds on to. */
export interface Guarded {
  readonly pid: number;
  /** Removes the store. Never throws. */
  removeSync(): void;
  /** The orderly way down. */
  shutdown(): Promise<unknown>;
}

const guarded = new Set<Guarded>();
let hooked = false;

function removeAll(): void {
  for (const store of guarded) if (store.pid === ownIdentity().pid) store.removeSync();
}

/** Guards a store until {@link release}. `process.exit` and an uncaught error end in the `exit` event as well. */
export function guard(store: Guarded): void {
  guarded.add(store);
  if (hooked) return;
  hooked = true;
  process.on('exit', removeAll);
}

/** Stops guarding a store. */
export function release(store: Guarded): void {
  guarded.delete(store);
}

/** Signals that end a process and are worth an orderly shutdown. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Shuts a store down when one of the ending signals comes, then lets the signal end the process; a second one ends it at
 * once. Returns how to stop. Only for who asked: a library installs no handlers of its own accord.
 */
export function shutdownOnSignals(store: Guarded): () => void {
  let ending = false;
  const handler = (signal: NodeJS.Signals): void => {
    stop();
    if (ending) return;
    ending = true;
    const end = (): void => {
      process.kill(process.pid, signal);
    };
    store.shutdown().then(end, (error: unknown) => {
      process.emitWarning(error instanceof Error ? error : String(error));
      setImmediate(end);
    });
  };
  const stop = (): void => {
    for (const signal of endings) process.off(signal, handler);
  };
  for (const signal of endings) process.on(signal, handler);
  return stop;
}
