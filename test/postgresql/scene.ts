/** What the tests of PostgreSQL share: stores on a test's server, connections, and a look at the database with SQL. */
import type { TestContext } from 'node:test';
import type { IpcError } from '../../src/errors.ts';
import { ownIdentity, type ProcessIdentity } from '../../src/liveness/identity.ts';
import { Message } from '../../src/message/message.ts';
import type { Connection, Incoming, Outgoing, Reaped, Store, StoreOptions } from '../../src/protocol/protocol.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';
import json from '../../src/serializers/json.ts';

export const serializer = json.create({});
export const options: StoreOptions = { serializer, limits: { maxMessageBytes: 1 << 24 }, protocolOptions: {} };
export const everything = { messages: 1_000_000, bytes: 1 << 30 };

/** Makes a store at a route. */
export async function create(t: TestContext, route: string, more: Partial<StoreOptions> = {}): Promise<Store> {
  const made = await protocol.create({ ...options, ...more, route, owner: ownIdentity(), guard: false });
  t.after(() => made.close());
  return made;
}

/** Opens the store at a route. */
export async function open(t: TestContext, route: string, more: Partial<StoreOptions> = {}): Promise<Store> {
  const opened = await protocol.open(route, { ...options, ...more });
  t.after(() => opened.close());
  return opened;
}

/** What a connection told unasked. */
export class Report {
  readonly errors: IpcError[] = [];
  readonly dead: Reaped[] = [];
  rejected = (error: IpcError): void => void this.errors.push(error);
  reaped = (peer: Reaped): void => void this.dead.push(peer);
}

interface Wish {
  readonly mode?: 'connect' | 'reconnect';
  readonly acknowledge?: boolean;
  readonly identity?: ProcessIdentity;
  readonly report?: Report;
}

/** A connection. */
export async function connect(on: Store, name: string, wish: Wish = {}): Promise<Connection> {
  const { mode = 'connect', acknowledge = false, identity = ownIdentity(), report = new Report() } = wish;
  return on.connect({ name, mode, acknowledge, identity, report });
}

/** Messages to send, one for each content. */
export function outgoing(from: string, to: string, ...contents: unknown[]): Outgoing[] {
  return contents.map((content) => {
    const message = new Message({ from, to, content });
    return { message, bytes: serializer.serialize(content) };
  });
}

/** What is inside of what came in. */
export function contents(incoming: readonly Incoming[]): unknown[] {
  return incoming.map((one) => ('content' in one ? serializer.deserialize(one.content, 1 << 24) : 'not by columns'));
}

/** The code of the error that something ends with. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    const { code } = error as { code?: unknown };
    return typeof code === 'string' ? code : String(error);
  }
  return 'no error';
}

/** A process of another machine. */
export function elsewhere(pid = 4711): ProcessIdentity {
  return { pid, start: '12345', boot: '00000000-1111-2222-3333-444444444444', namespace: '4026531836' };
}
