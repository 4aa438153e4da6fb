/**
 * The clients of this process that are connected now.
 *
 * A shutdown disconnects those of its store before it waits for the rest, or it would wait for itself; and at process
 * exit each one's name is given up, as far as synchronous code can.
 */

/** What the registry needs of a client. */
export interface LocalClient {
  readonly route: string;
  /** Leaves the store at once, without waiting for anything. Never throws. */
  closeSync(): void;
}

const clients = new Set<LocalClient>();
let hooked = false;

function closeAll(): void {
  for (const client of clients) client.closeSync();
}

/** Adds a client; from the first one on, a process that exits disconnects them all. */
export function registerClient(client: LocalClient): void {
  clients.add(client);
  if (hooked) return;
  hooked = true;
  process.on('exit', closeAll);
}

/** Forgets a client that has left. */
export function unregisterClient(client: LocalClient): void {
  clients.delete(client);
}

/** The clients of this process on a route. */
export function clientsOn(route: string): LocalClient[] {
  return [...clients].filter((client) => client.route === route);
}

const obedient = new WeakSet<LocalClient>();

/** Says of a client that whoever has it obeys a terminate message: it leaves when what it has in hand is done. */
export function leavesByItself(client: LocalClient): void {
  obedient.add(client);
}

/** True for a client of which that was said. */
export function willLeave(client: LocalClient): boolean {
  return obedient.has(client);
}
