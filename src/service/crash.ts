/** What becomes of a process that is a service when something is thrown that nobody catches: the service ends, with its cleanup. */
import { inspect } from 'node:util';
import { Timer } from '../launch/timer.ts';
import type { ServiceRuntime } from './runtime.ts';

/**
 * Ends the service by what nobody has caught, and the process if the service does not come to its end. Where its author
 * listens for such errors himself they are his. Returns how to stop.
 */
export function endOnCrash(service: ServiceRuntime): () => void {
  let force: Timer | undefined;
  const crashed = (error: unknown): void => {
    if (process.listenerCount('uncaughtException') > 1) return;
    if (force !== undefined || service.state === 'ended') {
      // The first has ended it, and is what it fails with.
      process.stderr.write(`${inspect(error)}\n`);
      return;
    }
    force = new Timer(() => {
      process.stderr.write(`${inspect(error)}\n`);
      process.exit(1);
    }, service.longestEnd).unref();
    service.crash(error);
  };
  process.on('uncaughtException', crashed);
  return () => {
    force?.clear();
    process.off('uncaughtException', crashed);
  };
}
