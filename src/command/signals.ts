/** Ctrl-C and its kin: the first asks the command to finish what it has in hand, the second ends it at once. */
import { exitCodes } from './exit.ts';
import { say } from './output.ts';

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the command gets to know of signals. */
export interface Interruption {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Gives up those signals for which somebody else listens by now, and who then decides what they mean. */
  leaveToOthers(): void;
}

/**
 * Takes over the ending signals. The second one exits with 130; what a process owes at its exit (a guarded store, the names
 * of its clients) is still done, since `process.exit` runs the exit handlers.
 */
export function onInterrupt(what: string): Interruption {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    say(`${signal}: ${what}; once more ends it at once`);
    controller.abort();
  };
  for (const signal of endings) process.on(signal, onSignal);
  const leaveToOthers = (): void => {
    for (const signal of endings) if (process.listenerCount(signal) > 1) process.off(signal, onSignal);
  };
  return { signal: controller.signal, leaveToOthers };
}
