/**
 * How large a datagram can be. A sender's buffer (SO_SNDBUF) bounds it; Linux gives each socket `net.core.wmem_default`,
 * 212,992 bytes unless changed, and takes 32 for itself: 212,960 go through and 212,961 are EMSGSIZE.
 *
 * A larger buffer is asked for all the same, so that several large messages can be on their way at once (with the usual one
 * the second waits for the first). The limit stays what every sender on the machine can send and every reader takes.
 */
import { readFileSync } from 'node:fs';
import { datagramOverhead } from '../../native/native.ts';

/** What Linux has unless told otherwise. */
const usualBuffer = 212_992;

/** Bytes to ask for: a full queue of the largest messages. The kernel gives what net.core.wmem_max allows. */
export const wishedBuffer = 4 * 1024 * 1024;

function setting(name: string, usual: number): number {
  try {
    return Number(readFileSync(`/proc/sys/net/${name}`, 'latin1')) || usual;
  } catch {
    // Not Linux, where the protocol is not viable anyway, or a network namespace that does not show it.
    return usual;
  }
}

/** Bytes of the largest message. */
export const largestDatagram = setting('core/wmem_default', usualBuffer) - datagramOverhead;

/** Datagrams that wait in a receiver's queue at most. */
export const queueLength = setting('unix/max_dgram_qlen', 10) + 1;

/** Datagrams per system call: as many as a queue holds, and past some dozens more of them gain nothing. */
export const mostAtOnce = Math.min(queueLength, 64);
