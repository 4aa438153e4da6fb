/** A long backlog: neither memory nor the time of one look grows with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Served } from './server.ts';
import { bus, client, upTo } from './scene.ts';

const backlog = Number(process.env['IPCM_BACKLOG'] ?? 100_000);

/** The test of a backlog. */
export function backlogTests(served: Served): void {
  test(`a backlog of ${backlog} messages is written and read in bounded memory`, async (t) => {
    const made = await bus(t, served);
    const [a, b] = [await client(t, made, 'a'), await client(t, made, 'b')];
    const pad = 'x'.repeat(200);
    let largest = 0;
    const before = process.memoryUsage().rss;
    const look = (): void => void (largest = Math.max(largest, process.memoryUsage().rss - before));
    const begin = performance.now();
    for (let at = 0; at < backlog; at += 1000) {
      await Promise.all(upTo(1000).map((n) => a.sendMessage('b', { n: at + n, pad })));
      look();
    }
    const written = performance.now();
    let next = 0;
    for await (const { content } of b.messages({ timeout: 10_000 })) {
      assert.equal((content as { n: number }).n, next++);
      if (next % 1000 === 0) look();
      if (next === backlog) break;
    }
    assert.equal(next, backlog);
    const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);
    t.diagnostic(
      `${backlog} messages: in within ${seconds(written - begin)} s, out within ${seconds(performance.now() - written)} s, ` +
        `${largest >> 20} MiB more`,
    );
    assert.ok(largest < 256 * 1024 * 1024, `${largest} bytes`);
  });
}
