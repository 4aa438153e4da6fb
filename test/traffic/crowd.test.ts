/** A thousand clients on one bus, and processes that run out of descriptors. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ipcmSpawn } from '../../src/index.ts';
import type { Crowd } from '../fixtures/traffic-crowd.ts';

const program = fileURLToPath(new URL('../fixtures/traffic-crowd.ts', import.meta.url));

/** Starts a crowd with a limit of descriptors. */
function start(t: TestContext, job: Crowd, limit: number): ChildProcess {
  const child = spawn('sh', ['-c', `ulimit -n ${limit} && exec "$0" "$@"`, process.execPath, program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.after(() => child.kill('SIGKILL'));
  child.send(job);
  return child;
}

describe('many clients', { concurrency: 1 }, () => {
  for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix']) {
    const options = { protocol, serializer: 'JSON', sanityCheck: false } as const;

    test(
      `${protocol}: a thousand of them greet one, are answered and hear its broadcast`,
      { timeout: 300_000 },
      async (t) => {
        await using bus = await ipcmSpawn(options);
        const center = await bus.connect('center');
        const job = { info: bus.info, to: 'center', count: 250, untilFull: false };
        const crowds = Array.from({ length: 4 }, (_, n) => start(t, { ...job, prefix: `peer${n}-` }, 4096));
        const results = crowds.map((child) => once(child, 'message'));
        const ends = crowds.map((child) => once(child, 'exit'));
        const names = new Set<string>();
        while (names.size < 1000) {
          const messages = await center.getMessages({ timeout: 60_000 });
          assert.ok(messages.length > 0, `${names.size} of 1000 have come`);
          for (const { from } of messages) names.add(from);
          await Promise.all(messages.map(({ from }) => center.sendMessage(from, 'welcome')));
        }
        assert.equal((await center.peers()).length, 1000);
        const report = await center.broadcast('all');
        assert.equal([...report.values()].filter(({ sent }) => sent).length, 1000);
        for (const [told] of await Promise.all(results)) {
          for (const got of (told as { got: unknown[] }).got) assert.deepEqual(got, ['welcome', 'all']);
        }
        for (const end of ends) assert.deepEqual(await end, [0, null]);
        assert.deepEqual(await center.peers(), []);
      },
    );

    test(`${protocol}: out of descriptors is an error that says so, and passes`, { timeout: 120_000 }, async (t) => {
      await using bus = await ipcmSpawn(options);
      const center = await bus.connect('center');
      const job = { info: bus.info, to: 'center', prefix: 'peer', count: 500, untilFull: true };
      const child = start(t, job, 120);
      const ended = once(child, 'exit');
      const [told] = (await Promise.race([once(child, 'message'), ended])) as unknown[];
      const { met, code, message } = told as { met: number; code: string; message: string };
      t.diagnostic(`${protocol}: ${met} clients in 120 descriptors, then ${message}`);
      assert.equal(code, 'IPCM_STORE_FAILED');
      assert.match(message, /EMFILE/);
      const [hello] = await center.getMessages({ timeout: 10_000 });
      assert.equal(hello?.content, 'again');
      assert.deepEqual(await ended, [0, null]);
      assert.deepEqual(await center.peers(), []);
    });
  }
});
