/** Whose outcome is known when a connection is lost, on a server that loses answers as it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bound, Database, Link, Target } from '../../src/protocols/sql-server/database.ts';
import { Line } from '../../src/protocols/sql-server/line.ts';
import { ServerSession } from '../../src/protocols/sql-server/session.ts';
import type { Result } from '../../src/protocols/sql/query.ts';

const lost = (): Error => Object.assign(new Error('gone'), { code: 'ECONNRESET' });
const own = (text: string) => ({ text, rows: text === 'marked' || text === 'bury' });

/** What a link of the test does with a statement that sends; a rejection is an answer that was lost. */
type Send = (link: TestLink, id: string, row: string, mark: number) => Promise<Result>;

class TestLink implements Link {
  readonly tag: string;
  readonly #server: TestServer;
  #lost: () => void = () => undefined;

  constructor(server: TestServer, tag: string) {
    this.#server = server;
    this.tag = tag;
  }

  run({ text, values }: Bound): Promise<Result> {
    const server = this.#server;
    const [first, second] = values;
    if (text === 'marked') {
      const mark = server.marks.get(String(first));
      return Promise.resolve({ rows: mark === undefined ? [] : [{ mark }], changes: 0 });
    }
    if (text === 'bury') return Promise.resolve({ rows: [{ ended: server.burials.shift() ?? true }], changes: 0 });
    if (text.startsWith('send ')) return server.send(this, text.slice(5), String(first), Number(second));
    return Promise.resolve({ rows: [], changes: 0 });
  }

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  hold(): void {
    // Nothing keeps this process alive but the test.
  }

  lose(): void {
    this.#lost();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class TestServer {
  readonly stored: string[] = [];
  readonly marks = new Map<string, number>();
  readonly links: TestLink[] = [];
  /** What the next requests to end a connection come to. */
  readonly burials: boolean[] = [];
  readonly send: Send;
  away = false;
  asked = 0;

  constructor(send: Send) {
    this.send = send;
  }

  store(id: string, row: string, mark: number): void {
    this.stored.push(id);
    this.marks.set(row, mark);
  }

  async session(reconnectTimeout = 3000): Promise<ServerSession> {
    const connect = (): Promise<Link> => {
      this.asked++;
      if (this.away) return Promise.reject(lost());
      const link = new TestLink(this, `t${this.links.length}`);
      this.links.push(link);
      return Promise.resolve(link);
    };
    const words = { mark: own('mark'), marked: own('marked'), openLine: own('openLine'), bury: own('bury') };
    const transaction = { begin: 'BEGIN', commit: 'COMMIT', rollback: 'ROLLBACK' };
    const database = { connect, transaction, own: words, judge: () => 'other' };
    const line = new Line(database as unknown as Database, {} as Target, 'L');
    const place = { route: 'r', protocol: 'P' };
    const patience = { lockTimeout: 3000, reconnectTimeout };
    const session = new ServerSession({ line, place, patience, isThere: () => true });
    await session.open();
    return session;
  }
}

const once = (session: ServerSession, id: string): Promise<Result> =>
  session.once(id, (row, mark) => ({ text: `send ${id}`, values: [row, mark], rows: false }), 1);

test('what was refused is not taken for sent because another statement was committed after it', async () => {
  const cut: ((error: Error) => void)[] = [];
  const server = new TestServer((link, id, row, mark) => {
    const isFirst = link === server.links[0];
    // The first time the peer of A is in another life.
    const isRefused = isFirst && id === 'A';
    if (!isRefused) server.store(id, row, mark);
    if (!isFirst) return Promise.resolve({ rows: [], changes: 1 });
    return new Promise((_, reject) => cut.push(reject));
  });
  const session = await server.session();
  const [a, b] = [once(session, 'A'), once(session, 'B')];
  while (cut.length < 2) await new Promise(setImmediate);
  server.links[0]?.lose();
  for (const reject of cut) reject(lost());
  assert.deepEqual([(await a).changes, (await b).changes], [1, 1]);
  assert.deepEqual(server.stored.sort(), ['A', 'B']);
});

test('an error that says that the connection is lost is believed before the connection itself says so', async () => {
  const server = new TestServer((link, id, row, mark) => {
    server.store(id, row, mark);
    if (link !== server.links[0]) return Promise.resolve({ rows: [], changes: 1 });
    setTimeout(() => link.lose(), 20);
    return Promise.reject(lost());
  });
  const session = await server.session();
  assert.equal((await once(session, 'A')).changes, 1);
  assert.deepEqual(server.stored, ['A']);
});

test('nothing is done as long as the server has not ended the connection that was lost', async () => {
  let ended = false;
  const server = new TestServer((link, id, row, mark) => {
    if (link === server.links[0]) {
      // Committed late: by a connection that the server still serves.
      setTimeout(() => {
        server.store(id, row, mark);
        ended = true;
        server.burials.length = 0;
      }, 100);
      return Promise.reject(lost());
    }
    server.store(id, row, mark);
    return Promise.resolve({ rows: [], changes: 1 });
  });
  server.burials.push(...Array.from({ length: 1000 }, () => false));
  const session = await server.session();
  assert.equal((await once(session, 'A')).changes, 1);
  assert.deepEqual([server.stored, ended], [['A'], true]);
});

test('who has several things to do while the server is away waits for it once', async () => {
  const server = new TestServer(() => Promise.reject(lost()));
  const session = await server.session(300);
  server.away = true;
  const begin = performance.now();
  for (let n = 0; n < 5; n++) {
    const before = server.asked;
    await assert.rejects(once(session, 'A'), { code: 'IPCM_STORE_FAILED' });
    assert.ok(server.asked > before, 'each tries');
  }
  assert.ok(performance.now() - begin < 1400, `it took ${performance.now() - begin} ms`);
});
