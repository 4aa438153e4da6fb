/** Hears of every child process that this process starts, by whatever library, and of its end. */
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { EndedChild } from './definition.ts';

/** Published by Node for each child process that is made. */
const channel = 'child_process';

/**
 * Calls `ended` for each child started from now on that `isOurs` does not claim. Returns how to stop.
 */
export function watchChildren(
  isOurs: (child: ChildProcess) => boolean,
  ended: (child: EndedChild) => void,
): () => void {
  const started = (event: unknown): void => {
    const child = (event as { process?: ChildProcess }).process;
    child?.once('exit', (code, signal) => {
      if (child.pid !== undefined && !isOurs(child)) ended({ pid: child.pid, code, signal });
    });
  };
  subscribe(channel, started);
  return () => {
    unsubscribe(channel, started);
  };
}
