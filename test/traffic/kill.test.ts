/** Senders killed at any moment: what arrives is whole, in order and without a gap, and what is half is dropped. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmSpawn } from '../../src/index.ts';
import { OrderCheck, startSender } from './senders.ts';

/** Some of one chunk, some of many; on UnixSocket all of them are one datagram. */
const sizes = [10, 5000, 100_000, 50, 150_000, 1000];

const rounds = Number(process.env['IPCM_TRAFFIC_ROUNDS'] ?? 4);

/** Senders killed in a round. */
const atOnce = 3;

/** In milliseconds: a round takes half a second on two processors. */
const timeout = Math.max(300_000, rounds * 2000);

describe('senders that are killed', { concurrency: 1 }, () => {
  for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix']) {
    test(`${protocol}: kill -9 at any moment leaves whole messages only`, { timeout }, async (t) => {
      await using bus = await ipcmSpawn({ protocol, serializer: 'JSON', sanityCheck: false });
      const reader = await bus.connect('reader');
      const rejected: string[] = [];
      reader.on('rejected', ({ code }) => rejected.push(code));
      const check = new OrderCheck(sizes);
      for (let round = 0; round < rounds; round++) {
        const job = { info: bus.info, to: 'reader', count: 1e6, sizes, burst: 30 };
        const senders = Array.from({ length: atOnce }, (_, n) =>
          startSender(t, { ...job, name: `sender${round}-${n}` }),
        );
        // The first messages have come: from here on they are in the midst of sending, whenever that is.
        await check.read(reader, check.count + 10 * atOnce);
        let alive = atOnce;
        const killed = senders.map(async ({ process, ended }) => {
          await sleep(Math.random() * 50);
          process.kill('SIGKILL');
          assert.equal(await ended, 'SIGKILL');
          alive--;
        });
        // Every other time nobody reads meanwhile, so that they are killed while they wait for room.
        while (round % 2 === 0 && alive > 0) await check.some(reader, 20);
        await Promise.all(killed);
        while (await check.some(reader, 100));
        assert.deepEqual(await reader.peers(), [], 'they are not listed any more');
      }
      // The halves of dead writers are told, and do not stay: a reader with nothing on its way can leave at once.
      assert.equal(await reader.havePendingMessages(), false);
      for (const code of rejected) assert.equal(code, 'IPCM_MALFORMED_MESSAGE');
      assert.ok(
        rejected.length <= (protocol === 'UnixSocket' ? 0 : rounds * atOnce),
        'at most one half message of each',
      );
      t.diagnostic(`${protocol}: ${rounds * atOnce} killed, ${check.count} whole messages, ${rejected.length} torn`);
    });
  }
});
