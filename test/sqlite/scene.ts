/** What tests of SQLite share: private folders, stores in them, connections, and a look at the database with SQL. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import type { IpcError } from '../../src/errors.ts';
import { ownIdentity, type ProcessIdentity } from '../../src/liveness/identity.ts';
import { Message } from '../../src/message/message.ts';
import type { Connection, Incoming, Outgoing, Reaped, Store, StoreOptions } from '../../src/protocol/protocol.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import json from '../../src/serializers/json.ts';

export const serializer = json.create({});
export const options: StoreOptions = { serializer, limits: { maxMessageBytes: 1 << 20 }, protocolOptions: {} };
export const everything = { messages: 1_000_000, bytes: 1 << 30 };

/** A private folder that is removed after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync('/tmp/ipcm-test-');
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** Makes a store, in a private folder unless the route says where. */
export async function create(t: TestContext, more: Partial<StoreOptions> & { route?: string } = {}): Promise<Store> {
  const { route = join(folder(t), 'bus.db'), ...rest } = more;
  const made = await protocol.create({ ...options, ...rest, route, owner: ownIdentity(), guard: false });
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
  return incoming.map((one) =>
    'content' in one ? serializer.deserialize(one.content, 1 << 24) : assertNever('not by columns'),
  );
}

function assertNever(what: string): never {
  throw new Error(what);
}

/** The database, seen by somebody who knows SQL; closed after the test. */
export function sql(t: TestContext, route: string): DatabaseSync {
  const database = new DatabaseSync(route, { timeout: 5000 });
  t.after(() => database.isOpen && database.close());
  return database;
}

/** An identity that belongs to nobody alive. */
export function deadIdentity(): ProcessIdentity {
  return { ...ownIdentity(), start: '1' };
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

/** A child process that does one thing; see child.ts. Resolves to what it says at its end. */
export class Child {
  readonly process: ChildProcess;
  readonly #said: unknown[] = [];

  constructor(t: TestContext, ...args: string[]) {
    this.process = fork(join(import.meta.dirname, 'child.ts'), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.process.on('message', (message) => this.#said.push(message));
    t.after(() => this.process.kill('SIGKILL'));
  }

  /** The next thing that it says. */
  async said(): Promise<unknown> {
    while (this.#said.length === 0) {
      const [first] = (await Promise.race([once(this.process, 'message'), once(this.process, 'exit')])) as unknown[];
      if (typeof first === 'number' && this.#said.length === 0) throw new Error(`the child ended with ${first}`);
    }
    return this.#said.shift();
  }

  /** Lets it begin. */
  go(): void {
    this.process.send('go');
  }
}
