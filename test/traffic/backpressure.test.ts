/**
 * A fast sender and a reader that pauses: the sender's memory stays within bounds, and everything arrives. By default a
 * quarter of a gigabyte and a pause of a second; `IPCM_TRAFFIC_BYTES` and `IPCM_TRAFFIC_PAUSE` (milliseconds) ask for more.
 *
 * V8 lets its heap grow in any process that makes objects fast, the young generation alone to 128 MiB, and collects when it
 * must. The sender's heap is held small, so that what is left to see is what the library keeps.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ipcmSpawn } from '../../src/index.ts';
import type { Flood, Flooded } from '../fixtures/traffic-flood.ts';
import { OrderCheck } from './senders.ts';

const program = fileURLToPath(new URL('../fixtures/traffic-flood.ts', import.meta.url));
const MiB = 1024 * 1024;
const offered = Number(process.env['IPCM_TRAFFIC_BYTES'] ?? 256e6);
const pause = Number(process.env['IPCM_TRAFFIC_PAUSE'] ?? 1000);
const highWaterMark = MiB;
const allowed = highWaterMark + 64 * MiB;
const sizes = [1000, 100_000, 10, 20_000, 1000, 150_000];

/** The first is half of what Node 22 has by default: the young generation takes three times as much, and is not what is looked for. */
const smallHeap = ['--max-semi-space-size=8', '--max-old-space-size=48'];

const inMiB = (bytes = NaN): string => `${Math.round(bytes / MiB)} MiB`;

describe('backpressure', { concurrency: 1 }, () => {
  for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix']) {
    test(
      `${protocol}: a sender whose reader pauses stays small, and all of it arrives`,
      { timeout: 600_000 },
      async (t) => {
        await using bus = await ipcmSpawn({ protocol, serializer: 'JSON', sanityCheck: false });
        const reader = await bus.connect('reader');
        const count = Math.ceil((offered * sizes.length) / sizes.reduce((sum, size) => sum + size, 0));
        const child = fork(program, { execArgv: smallHeap });
        t.after(() => child.kill('SIGKILL'));
        const ended = once(child, 'exit');
        const told: Partial<Flooded> = {};
        child.on('message', (message) => Object.assign(told, message));
        child.send({ info: bus.info, to: 'reader', count, sizes, highWaterMark } satisfies Flood);

        const check = new OrderCheck(sizes);
        // Which may have to be read before the sender has sent one of each size.
        await check.read(reader, sizes.length);
        while (told.full === undefined) await once(child, 'message');
        await sleep(pause);
        const begin = performance.now();
        await check.read(reader, count);
        assert.equal(check.count, count);
        const seconds = (performance.now() - begin) / 1000;
        assert.deepEqual(await ended, [0, null]);

        const { baseline = 0, full = NaN, peak = NaN } = told;
        const found = `baseline ${inMiB(baseline)}, full +${inMiB(full - baseline)}, peak +${inMiB(peak - baseline)}`;
        t.diagnostic(`${protocol}: ${Math.round(offered / 1e6)} MB in ${seconds.toFixed(1)} s; ${found}`);
        assert.ok(full - baseline < allowed, found);
        assert.ok(peak - baseline < allowed, found);
      },
    );
  }
});
