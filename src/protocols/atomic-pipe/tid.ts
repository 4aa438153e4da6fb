/**
 * A tid of its own for each connection: readers tell the parts of long messages apart by pid and tid, and one process may
 * have many connections that write to one pipe, in several threads. 11 bits are the thread's, 20 the connection's.
 *
 * The count begins anywhere, not at 0: two copies of this module in one thread, and two processes of the same pid in
 * different pid namespaces that share a directory, are then apart as well.
 */
import { threadId } from 'node:worker_threads';
import { randomHex } from '../../message/random.ts';

const connections = 2 ** 20;
const threads = 2 ** 11;

let count = parseInt(randomHex(4), 16) % connections;

/** The next tid. */
export function nextTid(): number {
  count = (count + 1) % connections;
  return (threadId % threads) * connections + count;
}
