/** Waiting for what gives no event. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `holds()` is true; rejects, naming what was waited for, after `timeout` milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeout = 10_000): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeout} ms in vain until ${what}`);
    await sleep(5);
  }
}
