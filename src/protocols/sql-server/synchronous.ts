/** Writing to and reading from a socket that never waits, without the event loop: for the end of the process. */
import { readSync, writeSync } from 'node:fs';
import { systemCode } from '../../errors.ts';

/** Writes all of it; false when the socket did not take it until `end`, on `performance.now()`'s clock, or is gone. */
export function writeAll(descriptor: number, bytes: Uint8Array, end: number): boolean {
  for (let rest = bytes; rest.length > 0;) {
    const written = patiently(() => writeSync(descriptor, rest), end);
    if (written === undefined) return false;
    rest = rest.subarray(written);
  }
  return true;
}

/** Reads what is there, at least a byte; undefined when nothing came until `end`, or the other side has gone. */
export function readSome(descriptor: number, into: Buffer, end: number): Buffer | undefined {
  const length = patiently(() => readSync(descriptor, into, 0, into.length, null), end);
  return length === undefined || length === 0 ? undefined : into.subarray(0, length);
}

/** Calls until the socket is ready; undefined when it was not in time, or is gone. */
function patiently(call: () => number, end: number): number | undefined {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN' || performance.now() > end) return undefined;
      Atomics.wait(clock, 0, 0, 1);
    }
  }
}
