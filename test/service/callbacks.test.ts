// What the callbacks of sendRequest may do without harm to others: throw, and ask again.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmServiceHandle } from '../../src/service/index.ts';
import { rejectsWith, throwsWith } from '../../src/testing/assertions.ts';

const library = new URL('../../src/', import.meta.url).href;
const inTime = { timeout: 10_000 };

/** What a program prints, as JSON. In a process of its own: an uncaught exception would be one of the test. */
async function run(code: string): Promise<unknown> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const program = `
    import { ipcmSpawn } from '${library}index.ts';
    import { ipcmServe, ipcmServiceHandle } from '${library}service/index.ts';
    ${code}`;
  const args = ['--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 20_000 });
  return JSON.parse(stdout);
}

test('a callback that throws is an uncaught exception of its own, and everybody else gets the answer', async () => {
  const told = await run(`
    const uncaught = [];
    process.on('uncaughtException', (error) => uncaught.push(error.message));
    const bus = await ipcmSpawn({ protocol: 'AtomicPipe' });
    const { service, ended } = await ipcmServe('echo', bus, { handleRequest: async (request) => request });
    const handle = await ipcmServiceHandle('echo', bus);
    const all = [handle.request(1)];
    handle.sendRequest(2, { callback: () => { throw new Error('a callback that fails'); } });
    all.push(handle.request(3), new Promise((resolve) => handle.sendRequest(4, { callback: (_, answer) => resolve(answer) })));
    const answers = await Promise.all(all);
    await handle.stop();
    service.end();
    await ended;
    await bus.shutdown();
    console.log(JSON.stringify({ answers, uncaught }));`);
  assert.deepEqual(told, { answers: [1, 3, 4], uncaught: ['a callback that fails'] });
});

test('in a service it is an error of the service', async () => {
  await using bus = await ipcmSpawn({ protocol: 'AtomicPipe' });
  const echo = await ipcmServe('echo', bus, { handleRequest: (request) => request });
  const errors: unknown[] = [];
  const asking = await ipcmServe('asking', bus, {
    interceptErrors: true,
    handleRequest(_, { service }) {
      const fail = (): never => {
        throw new Error('a callback that fails');
      };
      service.peer('echo').sendRequest('heard', { callback: fail });
      return service.peer('echo').request('answered', inTime);
    },
    onError: (error) => void errors.push(error instanceof Error && error.message),
  });
  const handle = await ipcmServiceHandle('asking', bus);
  assert.equal(await handle.request(null, inTime), 'answered');
  assert.deepEqual(errors, ['a callback that fails']);
  await handle.stop();
  for (const { service, ended } of [asking, echo]) {
    service.end();
    await ended;
  }
});

test('a callback that asks again is refused once the handle is closed', inTime, async () => {
  await using bus = await ipcmSpawn({ protocol: 'AtomicPipe' });
  const { service, ended } = await ipcmServe('silent', bus, {
    handleRequest: () => new Promise(() => undefined),
    drainTimeout: 0,
  });
  const handle = await ipcmServiceHandle('silent', bus);
  const codes: unknown[] = [];
  handle.sendRequest('once', {
    callback: (error) => {
      codes.push(error !== undefined && 'code' in error && error.code);
      throwsWith(() => handle.sendRequest('again'), 'IPCM_NOT_CONNECTED');
    },
  });
  await handle.stop();
  assert.deepEqual(codes, ['IPCM_NOT_CONNECTED']);
  await rejectsWith(handle.request('later'), 'IPCM_NOT_CONNECTED');
  service.end();
  await ended;
});
