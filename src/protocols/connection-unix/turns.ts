/**
 * Turns of the event loop. Bytes that the kernel has are with us once the loop has polled, so who asks what is there *now*
 * waits until it has: an immediate runs after the poll of its turn, hence the second one comes after a whole poll.
 */

/** Resolves after so many immediates. */
export function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number): void => {
      if (left === 0) resolve();
      else setImmediate(next, left - 1);
    };
    next(count);
  });
}
