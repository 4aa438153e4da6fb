/**
 * Heavy traffic on the protocols whose transport has an end: many senders, full queues, senders that leave. The conformance
 * suite asks the same in small; here are the numbers at which it goes wrong if it does. By default 30 senders exit right after
 * a send; `IPCM_TRAFFIC_ROUNDS` asks for more.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipcmSpawn, resolveProtocol } from '../../src/index.ts';
import { allStuck, OrderCheck, startSender } from './senders.ts';

const protocols = ['AtomicPipe', 'UnixSocket', 'ConnectionUnix'];
/** Of all sizes together. */
const rounds = Number(process.env['IPCM_TRAFFIC_ROUNDS'] ?? 30);
const mixed = [10, 100, 1000, 10, 4000, 5000, 50, 20_000, 10, 200];

for (const protocol of protocols) {
  const { capabilities } = await resolveProtocol(protocol);
  const carries = (size: number): boolean => size + 1000 <= capabilities.largestMessage;
  const options = { protocol, serializer: 'JSON', sanityCheck: false } as const;

  describe(`traffic over ${protocol}`, { concurrency: 1 }, () => {
    test('eight senders with full queues keep their order and lose nothing', { timeout: 180_000 }, async (t) => {
      await using bus = await ipcmSpawn(options);
      const reader = await bus.connect('reader');
      const count = 20_000;
      // One message in a thousand is of the largest size.
      const sizes = Array.from({ length: 1000 }, (_, n) => mixed[n % mixed.length] ?? 0);
      sizes[500] = carries(200_000) ? 200_000 : 20_000;
      const job = { info: bus.info, to: 'reader', count, sizes, burst: 200 };
      const senders = Array.from({ length: 8 }, (_, n) => startSender(t, { ...job, name: `sender${n}` }));
      // Nothing is read until all of them wait for room.
      await allStuck(senders);
      const check = new OrderCheck(sizes);
      await check.read(reader, 8 * count);
      assert.equal(check.count, 8 * count);
      for (const { ended } of senders) assert.equal(await ended, 0);
      assert.deepEqual(await reader.getMessages(), []);
    });

    test(
      'a send that resolved before process.exit arrives, every time',
      { timeout: 120_000 + rounds * 1000 },
      async (t) => {
        await using bus = await ipcmSpawn(options);
        const reader = await bus.connect('reader');
        const sizes = [1024, 65_536, 1_048_576].filter(carries);
        let started = 0;
        const next = async (): Promise<void> => {
          while (started < rounds) {
            const name = `sender${started++}`;
            const size = sizes[started % sizes.length] ?? 0;
            const job = { info: bus.info, name, to: 'reader', count: 1, sizes: [size], burst: 1, exit: true };
            assert.equal(await startSender(t, job).ended, 0);
          }
        };
        const arrived = new Set<string>();
        const reading = (async (): Promise<void> => {
          while (arrived.size < rounds) {
            const messages = await reader.getMessages({ timeout: 20_000 });
            assert.ok(messages.length > 0, `${arrived.size} of ${rounds} arrived`);
            for (const { from, content } of messages) {
              arrived.add(from);
              assert.ok(sizes.includes((content as { text: string }).text.length), 'it is whole');
            }
          }
        })();
        await Promise.all([reading, next(), next(), next()]);
        assert.equal(arrived.size, rounds);
      },
    );
  });
}
