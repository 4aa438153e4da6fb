/** Waits until a condition holds, woken by hints, and looks again at an interval to make up for what gives no hint. */
import { Arrival, deadlineOf, type WaitOptions } from './arrival.ts';

/** Milliseconds between looks at what gives no hint, such as the death of a process. */
const interval = 50;

/** Resolves to true once `holds()` does, to false at the timeout; rejects with the signal's reason. */
export async function waitFor(
  holds: () => boolean | Promise<boolean>,
  watch: (wake: () => void) => () => void,
  options: WaitOptions,
): Promise<boolean> {
  const deadline = deadlineOf(options.timeout);
  options.signal?.throwIfAborted();
  if (await holds()) return true;
  const arrival = new Arrival(watch);
  arrival.listen();
  try {
    for (;;) {
      arrival.looking();
      if (await holds()) return true;
      if (performance.now() >= deadline) return false;
      await arrival.wait(Math.min(deadline, performance.now() + interval), options.signal);
    }
  } finally {
    arrival.close();
  }
}
