/**
 * A tid of its own for each connection: readers tell the parts of long messages apart by pid and tid, and one process may
 * have many connections that write to one pipe, in several threads. 11 bits are the thread's, 20 the connection's.
 *
 * The count begins anywhere, not at 0: two copies of this module in one thread, and two processes of the same pid in
 * different pid namespaces that share a directory, are then apart as well.
 */
import { readlinkSync } from 'node:fs';
import { randomHex } from '../../message/random.ts';

const connections = 2 ** 20;
const threads = 2 ** 11;

let count = parseInt(randomHex(4), 16) % connections;

let thread: number | undefined;

/** 0 in the main thread, which the kernel knows as well: to ask Node takes a millisecond and a half of a start. */
function threadNumber(): number {
  try {
    if (readlinkSync('/proc/thread-self') === `${process.pid}/task/${process.pid}`) return 0;
  } catch {
    // No /proc: Node is asked.
  }
  return process.getBuiltinModule('node:worker_threads').threadId;
}

/** The next tid. */
export function nextTid(): number {
  count = (count + 1) % connections;
  thread ??= threadNumber();
  return (thread % threads) * connections + count;
}
