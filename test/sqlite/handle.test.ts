/** A database that the caller has open already: of node:sqlite, or one shaped like better-sqlite3's. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ipcmConnect, ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/sqlite/index.ts';
import { Child, codeOf, connect, create, everything, folder, open, outgoing, sql } from './scene.ts';

/** The ways of better-sqlite3: errors with named codes, no numbered values, `run` refuses what returns rows and `all` what does not. */
class LikeBetterSqlite {
  readonly name: string;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.name = path;
    this.#database = new DatabaseSync(path);
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  prepare(text: string): { run(...values: unknown[]): unknown; all(...values: unknown[]): unknown[] } {
    assert.doesNotMatch(text, /\?\d/, 'it takes numbered values for named ones');
    const statement = named(() => this.#database.prepare(text));
    const returns = statement.columns().length > 0;
    const refuse = (): never => {
      throw new TypeError(returns ? 'This statement returns data' : 'This statement does not return data');
    };
    return {
      run: (...values) => (returns ? refuse() : named(() => statement.run(...(values as string[])))),
      all: (...values) => (returns ? named(() => statement.all(...(values as string[]))) : refuse()),
    };
  }

  exec(text: string): void {
    named(() => this.#database.exec(text));
  }

  close(): void {
    this.#database.close();
  }
}

function named<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message: string };
    const code = errcode === 5 ? 'SQLITE_BUSY' : errcode === 1555 ? 'SQLITE_CONSTRAINT_PRIMARYKEY' : 'SQLITE_ERROR';
    throw Object.assign(new Error(message), { code });
  }
}

const kinds = {
  'node:sqlite': (path: string) => new DatabaseSync(path),
  'better-sqlite3': (path: string) => new LikeBetterSqlite(path),
} as const;

for (const [kind, openHandle] of Object.entries(kinds)) {
  test(`a handle of ${kind} carries a bus, and other processes join by the info`, async (t) => {
    const path = join(folder(t), 'app.db');
    const database = openHandle(path);
    t.after(() => database.close());
    database.exec('CREATE TABLE mine(n INTEGER)');
    const bus = await ipcmSpawn({ protocol, serializer: 'JSON', protocolOptions: { database } });
    assert.equal(bus.route, path);
    const reader = await bus.connect('reader');
    const child = new Child(t, 'send', path, 'writer', '20');
    await child.said();
    child.go();
    const got: unknown[] = [];
    for await (const { content } of reader.messages()) {
      got.push((content as { n: number }).n);
      if (got.length === 20) break;
    }
    assert.deepEqual(
      got,
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.deepEqual(await child.said(), []);
    const own = await ipcmConnect('own', bus.info, { protocol });
    await reader.sendMessage('own', 'to and fro');
    assert.equal((await own.getMessages())[0]?.content, 'to and fro');
    await own.disconnect();
    await bus.shutdown();
    assert.ok(existsSync(path), 'the file is the caller’s');
    assert.deepEqual(database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all().length, 1);
  });

  test(`while the caller is in a transaction on a handle of ${kind}, work waits for its end`, async (t) => {
    const store = await create(t);
    const database = openHandle(store.route);
    t.after(() => database.close());
    const a = await connect(await open(t, store.route, { protocolOptions: { database } }), 'a');
    database.exec("BEGIN; INSERT INTO ipcm_reaped(name, lost) VALUES ('x', 1)");
    const sending = Promise.resolve(a.deliver('a', outgoing('a', 'a', 1)));
    await new Promise((resolve) => setTimeout(resolve, 30));
    database.exec('ROLLBACK');
    assert.equal((await sending).taken, 1);
    assert.equal((await a.receive(everything)).length, 1);
    assert.deepEqual(await store.reaped(), []);
  });
}

test('a handle that nobody else could reach, or of another file, is refused', async (t) => {
  const store = await create(t);
  const memory = new DatabaseSync(':memory:');
  t.after(() => memory.close());
  const spawning = (database: unknown): Promise<string> =>
    codeOf(() => ipcmSpawn({ protocol, protocolOptions: { database } }));
  assert.equal(await spawning(memory), 'IPCM_INVALID_OPTION');
  assert.equal(await spawning('app.db'), 'IPCM_INVALID_OPTION');
  const other = await create(t);
  const handle = sql(t, other.route);
  assert.equal(
    await codeOf(() => open(t, store.route, { protocolOptions: { database: handle } })),
    'IPCM_INVALID_OPTION',
  );
});
