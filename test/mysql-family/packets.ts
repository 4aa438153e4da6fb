/** A server that takes small packets only: what is sent in one go is parted as the server has it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ending } from '../sql-server/ending.ts';
import { bus, client, take, upTo } from './scene.ts';
import type { Served, TestServer } from './server.ts';

/** Has the server take no larger packets from whoever connects during this test. */
async function limit(t: TestContext, server: TestServer, bytes: number): Promise<void> {
  const [row] = await server.query('SELECT @@GLOBAL.max_allowed_packet AS bytes');
  ending(t, () => server.query(`SET GLOBAL max_allowed_packet = ${Number(row?.['bytes'])}`));
  await server.query(`SET GLOBAL max_allowed_packet = ${bytes}`);
}

/** Tests of packets. */
export function packetTests(served: Served): void {
  for (const kilobytes of [16, 64, 1024]) {
    test(`with a max_allowed_packet of ${kilobytes} KiB a burst arrives whole and in order, and what does not fit is refused alone`, async (t) => {
      await limit(t, served(), kilobytes * 1024);
      const made = await bus(t, served);
      const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
      const size = kilobytes * 96;
      const content = (n: number): string => `${n} ${'x'.repeat(size)}`;
      // Twice: on a new connection, and on one that knows the statements.
      for (let turn = 0; turn < 2; turn++) {
        await Promise.all(upTo(400).map((n) => a.sendMessage('b', content(n))));
        const found = await take(b, 400);
        assert.deepEqual(
          found.map((message) => message.content),
          upTo(400).map(content),
        );
      }
      const large = 'x'.repeat(kilobytes * 1024);
      const outcomes = await Promise.allSettled(['before', large, 'after'].map((text) => a.sendMessage('b', text)));
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      const [, refused] = outcomes;
      const { code, message } = refused?.status === 'rejected' ? (refused.reason as Error & { code?: string }) : {};
      assert.equal(code, 'IPCM_MESSAGE_TOO_LARGE');
      assert.match(String(message), new RegExp(`max_allowed_packet is ${kilobytes * 1024}`));
      assert.deepEqual(
        (await take(b, 2)).map((found) => found.content),
        ['before', 'after'],
      );
      // Looked at beforehand: the server would have ended the connection.
      assert.deepEqual(await b.getMessages(), []);
    });
  }

  test('a message that just fits into max_allowed_packet arrives, one that just does not is refused, and nothing is cut off', async (t) => {
    const bytes = 64 * 1024;
    await limit(t, served(), bytes);
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const sizes = upTo(64).map((n) => bytes - 4096 + n * 64);
    const outcomes = await Promise.allSettled(sizes.map((size) => a.sendMessage('b', 'x'.repeat(size))));
    const codes = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'sent' : (outcome.reason as { code?: string }).code,
    );
    const sent = codes.filter((code) => code === 'sent').length;
    assert.ok(sent > 0 && sent < sizes.length, codes.join());
    assert.deepEqual(codes, [...upTo(sent).map(() => 'sent'), ...upTo(64 - sent).map(() => 'IPCM_MESSAGE_TOO_LARGE')]);
    assert.deepEqual(
      (await take(b, sent)).map(({ content }) => String(content).length),
      sizes.slice(0, sent),
    );
  });

  test('what a reader has not read is removed, put back and acknowledged by statements that fit', async (t) => {
    await limit(t, served(), 16 * 1024);
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b', { ack: true })];
    await Promise.all(upTo(1000).map((n) => a.sendMessage('b', n)));
    const found = await take(b, 1000);
    assert.deepEqual(
      found.map(({ content }) => content),
      upTo(1000),
    );
    await b.requeueMessage(...found);
    const again = await take(b, 1000);
    await b.acknowledge(...again);
    assert.deepEqual(await b.getMessages(), []);
  });
}
