// What becomes of services and workers whose starter has gone, in a process that the test does not share.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { lives } from '../../src/testing/faults.ts';
import { until } from '../../src/testing/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'ipcm-orphans-'));
after(() => rmSync(folder, { recursive: true }));

const library = new URL('../../src/service/index.ts', import.meta.url).href;
const workers = new URL('../../src/testing/services/workers.ts', import.meta.url).href;

/** A service that writes to its output at its end, when nobody reads that any more, and leaves a mark after that. */
const talkative = `data:text/javascript,${encodeURIComponent(`
  import { writeFileSync } from 'node:fs';
  export default {
    onCleanup({ params }) {
      for (let n = 0; n < 100; n++) {
        process.stderr.write('words that nobody hears');
      }
      return new Promise((resolve) => setTimeout(resolve, 50)).then(() => writeFileSync(params, 'cleaned up'));
    },
  };`)}`;

/** A service with a worker that is too busy to hear of anything. */
const withBusyWorker = `data:text/javascript,${encodeURIComponent(`
  import { ipcmWorker } from '${library}';
  export default {
    grace: 200,
    drainTimeout: 100,
    async onStart(service) {
      const worker = await ipcmWorker('busy', '${workers}#busy', { params: 0 });
      console.log(JSON.stringify({ worker: worker.pid }));
    },
  };`)}`;

/** A service that will never answer, nor hear of anything. */
const busy = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  export default {
    grace: 100,
    drainTimeout: 0,
    handleRequest() {
      writeSync(1, JSON.stringify({ busy: 1 }) + '\\n');
      for (;;);
    },
  };`)}`;

/** Starts a program; resolves with it and the fields that it prints, once there are all of these names. */
async function start(code: string, ...names: readonly string[]): Promise<[ChildProcess, Record<string, number>]> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--input-type=module', '-e', code];
  const child = spawn(process.execPath, args, { env: { ...env, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  const told: Record<string, number> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    Object.assign(told, JSON.parse(line));
    if (names.every((name) => name in told)) break;
  }
  return [child, told];
}

const starting = (module: string, params: unknown): string => `
  import { ipcmService } from '${library}';
  const spawn = { protocol: 'AtomicPipe' };
  const handle = await ipcmService('service', ${JSON.stringify(module)}, { spawn, params: ${JSON.stringify(params)} });
  console.log(JSON.stringify({ service: handle.childPid, pid: process.pid }));`;

describe('when the process that started a service has gone', () => {
  it('the service cleans up, whatever it says meanwhile, and takes the store along', async () => {
    const mark = join(folder, 'mark');
    const [child, { service = 0 }] = await start(
      `${starting(talkative, mark)}\nsetInterval(() => {}, 1000);`,
      'service',
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('the service has gone', () => !lives(service));
    assert.ok(existsSync(mark), 'its cleanup was done to the end');
    assert.equal(readFileSync(mark, 'utf8'), 'cleaned up');
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('ipcm-')),
      [],
    );
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`by ${signal}, the service cleans up and goes too`, async () => {
      const mark = join(folder, signal);
      const [child, { service = 0 }] = await start(
        `${starting(talkative, mark)}\nsetInterval(() => {}, 1000);`,
        'service',
      );
      child.kill(signal);
      assert.deepEqual(await once(child, 'exit'), [null, signal]);
      await until('the service has gone', () => !lives(service));
      assert.equal(readFileSync(mark, 'utf8'), 'cleaned up');
    });
  }

  it('a script that has come to its end ends, with the service', async () => {
    const begin = performance.now();
    const [child, { service = 0 }] = await start(starting(talkative, join(folder, 'other')), 'service');
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
    assert.ok(performance.now() - begin < 20_000, 'nothing held it');
    await until('the service has gone', () => !lives(service));
  });

  it('one that is too busy to hear of it has the time that its own module allows', async () => {
    const [child, { service = 0 }] = await start(
      `${starting(busy, null)}\nhandle.sendRequest(1);\nsetInterval(() => {}, 1000);`,
      'service',
      'busy',
    );
    child.kill('SIGKILL');
    // With the defaults it would have twenty seconds.
    await until('the service has gone', () => !lives(service));
  });

  it('a worker in a busy loop ends when its service is killed', async () => {
    const [child, { service = 0, worker = 0 }] = await start(
      `${starting(withBusyWorker, null)}\nsetInterval(() => {}, 1000);`,
      'service',
      'worker',
    );
    process.kill(service, 'SIGKILL');
    await until('the worker has gone', () => !lives(worker), 30_000);
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
});
