/**
 * Ending a connection of ours at the server, of which nobody here knows whether it has ended.
 *
 * Its number does not tell it: numbers begin anew when the server does, and then are somebody else's. So each connection holds
 * a lock of a name that no other ever has. Whoever holds it is ended, and when it can be had that one has ended, with all
 * it had begun.
 */
import type { DriverConnection } from './driver.ts';
import { errnoOf, errors, StillThere } from './errors.ts';

/** Seconds that a connection may take to end. */
const patience = 10;

let connections = 0;

/** A name for a new connection of a line: within the 64 characters of a lock's name, and in need of no escape. */
export function tagOf(line: string): string {
  return `${line} ${++connections}`;
}

/** Has a connection hold its lock. */
export function taking(tag: string): string {
  return `SELECT GET_LOCK('${tag}', 0)`;
}

/** Ends the connection of a tag, and waits until it has ended. */
export async function bury(connection: DriverConnection, tag: string): Promise<void> {
  try {
    await connection.query(`KILL IS_USED_LOCK('${tag}')`);
  } catch (error) {
    // It has ended, or ends by itself while we ask: whether it has is what the lock tells.
    const errno = errnoOf(error);
    if (errno !== errors.noSuchThread && errno !== errors.othersThread) throw error;
  }
  const [row] = (await connection.query(`SELECT GET_LOCK('${tag}', ${patience}) AS ended`)) as {
    readonly ended: unknown;
  }[];
  if (Number(row?.ended) !== 1) throw new StillThere(patience);
  await connection.query(`DO RELEASE_LOCK('${tag}')`);
}
