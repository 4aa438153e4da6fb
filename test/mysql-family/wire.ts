/** What the reference writes, and what it would find. The table definitions are those of the wire, with a server's defaults. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ipcmConnect } from '../../src/bus.ts';
import type { Served } from './server.ts';
import { ending } from '../sql-server/ending.ts';
import { bus, client, databaseOf, take, upTo } from './scene.ts';

/** Tables as the reference makes them: a BLOB holds 64 KiB, and `A` is `a`. */
function referenceTables(idType: string): string[] {
  return [
    'CREATE TABLE ipcm_peers(`id` VARCHAR(512) NOT NULL PRIMARY KEY, `pid` INTEGER DEFAULT NULL, `active` DOUBLE DEFAULT (UNIX_TIMESTAMP()), ' +
      '`stats` BLOB DEFAULT NULL, `suspend_expires` DOUBLE DEFAULT NULL) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci',
    `CREATE TABLE ipcm_messages(\`id\` ${idType} NOT NULL PRIMARY KEY, \`to\` VARCHAR(512) NOT NULL, \`from\` VARCHAR(512) NOT NULL, ` +
      '`stamp` DOUBLE NOT NULL, `content` BLOB NOT NULL, `broadcast` BOOL NOT NULL DEFAULT 0, ' +
      'FOREIGN KEY (`to`) REFERENCES ipcm_peers(id) ON DELETE CASCADE, FOREIGN KEY (`from`) REFERENCES ipcm_peers(id) ON DELETE CASCADE) ' +
      'DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci',
  ];
}

const insert = 'INSERT INTO ipcm_messages (id, `to`, `from`, stamp, content, broadcast) VALUES (?, ?, ?, ?, ?, ?)';

/** Tests of the tables. */
export function wireTests(served: Served): void {
  const idType = (): string => (served().kind === 'MariaDB' ? 'UUID' : 'VARCHAR(36)');

  test('tables of the reference work: what waits in them, what it adds, and what they had no room for', async (t) => {
    const server = served();
    const database = await server.database();
    await server.query(`USE ${database}`);
    for (const table of referenceTables(idType())) await server.query(table);
    const pid = process.ppid;
    await server.query('INSERT INTO ipcm_peers (id, pid) VALUES (?, ?), (?, NULL)', ['perl', pid, 'rx']);
    const early = [randomUUID(), randomUUID()] as const;
    await server.query(insert, [early[0], 'rx', 'perl', 20.5, Buffer.from('"second"'), false]);
    await server.query(insert, [early[1], 'rx', 'perl', 10.25, Buffer.from('"first"'), true]);
    const info = JSON.stringify([
      `IPC::Manager::Client::${server.kind}`,
      'IPC::Manager::Serializer::JSON',
      await server.route(database),
    ]);
    const rx = await client(t, info, 'rx', { mode: 'reconnect' });
    const [first, second] = await take(rx, 2);
    assert.deepEqual([first?.content, first?.stamp, first?.broadcast, first?.id], ['first', 10.25, true, early[1]]);
    assert.deepEqual([second?.content, second?.stamp, second?.broadcast], ['second', 20.5, false]);
    // While we wait, and knowing nothing of our columns; of one stamp in the order in which they came.
    const waiting = take(rx, 3);
    for (const text of ['a', 'b', 'c'])
      await server.query(insert, [randomUUID(), 'rx', 'perl', 30, Buffer.from(JSON.stringify(text)), 0]);
    assert.deepEqual(
      (await waiting).map(({ content }) => content),
      ['a', 'b', 'c'],
    );
    const long = 'x'.repeat(100_000);
    await rx.sendMessage('rx', long);
    assert.equal((await take(rx, 1))[0]?.content, long);
    for (const name of ['RX', 'rx ', 'r\u00d7']) await client(t, info, name);
    assert.deepEqual((await rx.peers()).sort(), ['RX', 'perl', 'rx ', 'r\u00d7'].sort());
    // Nothing is changed a second time.
    await ipcmConnect('later', info).then((later) => later.disconnect());
  });

  test('what we write is what the reference reads', async (t) => {
    const server = served();
    const made = await bus(t, served);
    const database = databaseOf(made);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const stamp = 1_763_853_827.123457;
    await a.sendMessage({ to: 'b', content: { grüße: '😀' }, stamp });
    const [row] = await server.query(`SELECT * FROM ${database}.ipcm_messages`);
    assert.deepEqual([row?.['to'], row?.['from'], row?.['stamp'], Number(row?.['broadcast'])], ['b', 'a', stamp, 0]);
    assert.deepEqual(JSON.parse(String(row?.['content'])), { grüße: '😀' });
    assert.match(String(row?.['id']), /^[0-9a-f-]{36}$/);
    await server.query(`USE ${database}`);
    const peer = async (name: string): Promise<unknown[]> => {
      const [found] = await server.query('SELECT pid, active, suspend_expires FROM ipcm_peers WHERE id = ?', [name]);
      return [found?.['pid'], typeof found?.['active'], found?.['suspend_expires']];
    };
    assert.deepEqual(await peer('a'), [process.pid, 'number', null]);
    await a.suspend({ expiresAt: new Date(2_000_000_000_500) });
    assert.deepEqual(await peer('a'), [null, 'number', 2_000_000_000.5]);
    await b.disconnect(() => undefined);
    assert.deepEqual(await peer('b'), [null, 'object', null]);
    const [type] = await server.query(
      "SELECT COLUMN_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = 'ipcm_messages' AND COLUMN_NAME = 'id'",
      [database],
    );
    assert.equal(String(type?.['type']).toUpperCase(), idType());
  });

  test('microseconds of a stamp decide the order, and equal stamps keep that of the calls', async (t) => {
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const stamp = 1_763_853_827.000001;
    for (const [content, at] of [
      ['later', stamp + 1e-6],
      ['one', stamp],
      ['two', stamp],
      ['three', stamp],
    ] as const)
      await a.sendMessage({ to: 'b', content, stamp: at });
    const found = (await take(b, 4)).map(({ content, stamp: at }) => [content, at]);
    assert.deepEqual(found, [
      ['one', stamp],
      ['two', stamp],
      ['three', stamp],
      ['later', stamp + 1e-6],
    ]);
  });

  test('ids that are no UUIDs come back as they are, and are unique all the same', async (t) => {
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const ids = ['007', 'x'.repeat(300), 'ABCDEF00-1234-4234-8234-123456789ABC', "it's \u0000 \\", '😀'];
    for (const id of ids) await a.sendMessage({ to: 'b', content: 1, id });
    await assert.rejects(async () => a.sendMessage({ to: 'b', content: 2, id: '007' }), /the id "007" waits already/);
    assert.deepEqual(
      (await take(b, ids.length)).map(({ id }) => id),
      ids,
    );
  });

  test('a batch larger than one statement arrives whole and in order', async (t) => {
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const pad = 'y'.repeat(20_000);
    await Promise.all(upTo(1000).map((n) => a.sendMessage('b', { n, pad })));
    const found = await take(b, 1000);
    assert.deepEqual(
      found.map(({ content }) => (content as { n: number }).n),
      upTo(1000),
    );
  });

  test('a message over the limit of the server is refused with the remedy, and the connection goes on', async (t) => {
    const server = served();
    const [variable] = await server.query('SELECT @@GLOBAL.max_allowed_packet AS bytes');
    await server.query('SET GLOBAL max_allowed_packet = 1048576');
    ending(t, () => server.query(`SET GLOBAL max_allowed_packet = ${String(variable?.['bytes'])}`));
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    await assert.rejects(async () => a.sendMessage('b', 'z'.repeat(2 ** 20)), {
      code: 'IPCM_MESSAGE_TOO_LARGE',
      message: /max_allowed_packet/,
    });
    await a.sendMessage('b', 'goes');
    assert.equal((await take(b, 1))[0]?.content, 'goes');
  });
}
