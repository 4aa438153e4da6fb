/** What the tests of a server share: stores and clients that end with their test. */
import type { TestContext } from 'node:test';
import { createConnection, type Connection } from 'mariadb';
import { ipcmConnect, ipcmReconnect, ipcmSpawn, type ConnectOptions, type SpawnOptions } from '../../src/bus.ts';
import type { Client } from '../../src/client/client.ts';
import type { Message } from '../../src/message/message.ts';
import type { Spawn } from '../../src/spawn/spawn.ts';
import { ending } from '../sql-server/ending.ts';
import type { Served, TestServer } from './server.ts';

/** A store in a new database, or where the options say. */
export async function bus(t: TestContext, served: Served, options: SpawnOptions = {}): Promise<Spawn> {
  const { kind } = served();
  const route = options.route ?? (await served().route());
  const made = await ipcmSpawn({ protocol: kind, serializer: 'JSON', guard: false, ...options, route });
  ending(t, () => made.unspawn());
  return made;
}

/** A client. */
export async function client(
  t: TestContext,
  info: Spawn | string,
  name: string,
  { mode = 'connect', ...options }: ConnectOptions & { mode?: 'connect' | 'reconnect' } = {},
): Promise<Client> {
  const made = await (mode === 'connect' ? ipcmConnect : ipcmReconnect)(name, String(info), options);
  ending(t, async () => made.disconnected || (await made.disconnect(() => undefined)));
  return made;
}

/** Another connection of the administrator. */
export async function second(t: TestContext, { socket, user }: TestServer, database: string): Promise<Connection> {
  const connection = await createConnection({ socketPath: socket, user, database, bigIntAsNumber: true });
  ending(t, () => connection.end());
  return connection;
}

/** The database's name in a route. */
export function databaseOf({ route }: Spawn): string {
  return /database=(\w+)/.exec(route)?.[1] ?? '';
}

/** So many messages, in the order in which they came. */
export async function take(from: Client, count: number, timeout = 30_000): Promise<Message[]> {
  const all: Message[] = [];
  const end = performance.now() + timeout;
  while (all.length < count) {
    const more = await from.getMessages({ timeout: Math.max(1, end - performance.now()) });
    all.push(...more);
    if (performance.now() > end) throw new Error(`${all.length} of ${count} messages came in ${timeout} ms`);
  }
  return all;
}

/** The numbers from 0. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
