// What a handle does while nobody asks: it holds up no sender and no shutdown, and neither its process nor its memory.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it, test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmServiceHandle, ipcmSupervise } from '../../src/service/index.ts';
import { throwsWith } from '../../src/testing/assertions.ts';
import { helper } from '../../src/testing/services/helper.ts';
import { counted } from '../fixtures/supervised.ts';

const library = new URL('../../src/service/index.ts', import.meta.url).href;
const helpers = new URL('../../src/testing/services/helper.ts', import.meta.url).href;
const inTime = { timeout: 30_000 };

/** Starts a program, of which the first line of its output is awaited; resolves to how to wait for its end. */
async function start(code: string, info: string): Promise<() => Promise<number | null>> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const program = `
    import { ipcmService, ipcmServiceHandle } from '${library}';
    import { helper } from '${helpers}';
    const info = ${JSON.stringify(info)};
    ${code}`;
  const args = ['--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  for await (const _line of createInterface({ input: child.stdout })) break;
  return async () => (await ended)[0] as number | null;
}

test('a process with a handle ends when it has nothing to do, and not before its answers', inTime, async () => {
  await using bus = await ipcmSpawn({ protocol: 'AtomicPipe', sanityCheck: false });
  const { service, ended } = await ipcmServe('helper', bus, helper);
  const exit = await start(
    `
    const handle = await ipcmServiceHandle('helper', info);
    await handle.request({ do: 'echo' });
    handle.request({ do: 'slow', with: 300 }).then(() => (process.exitCode = 3));
    console.log('asked');`,
    bus.info,
  );
  assert.equal(await exit(), 3);
  service.end();
  await ended;
});

test('who waits for the end of a service is kept alive until then', inTime, async () => {
  await using bus = await ipcmSpawn({ protocol: 'AtomicPipe', sanityCheck: false });
  const exit = await start(
    `
    const handle = await ipcmService('helper', helper, { ipcmInfo: info });
    console.log('started');
    process.exitCode = 1;
    await handle.ended;
    process.exit(3);`,
    bus.info,
  );
  const handle = await ipcmServiceHandle('helper', bus);
  await handle.terminate(inTime);
  assert.equal(await exit(), 3);
  await handle.stop();
});

describe('a handle in another process leaves at a terminate message', () => {
  for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix', 'SQLite', 'MessageFiles']) {
    it(`on ${protocol}`, inTime, async () => {
      const bus = await ipcmSpawn({ protocol });
      const exit = await start(
        `
        const handle = await ipcmServiceHandle('nobody', info);
        console.log('here');
        setInterval(() => { if (handle.client.disconnected) process.exit(3); }, 5);`,
        bus.info,
      );
      const { remaining } = await bus.shutdown(inTime);
      assert.deepEqual(remaining, []);
      assert.equal(await exit(), 3);
    });
  }
});

test('a supervisor stops at a terminate message, instead of starting again what ends by it', inTime, async () => {
  const bus = await ipcmSpawn({ protocol: 'AtomicPipe', sanityCheck: false });
  const children = ['one', 'two'].map((name) => ({ name, service: counted, options: { params: {} } }));
  const supervisor = await ipcmSupervise({ ipcmInfo: bus.info, children });
  const [{ remaining }] = await Promise.all([bus.shutdown(inTime), supervisor.ended]);
  assert.deepEqual(remaining, []);
  assert.ok(supervisor.children.every(({ pid }) => pid === undefined));
});

test('of messages that nobody reads the last 4096 are kept, with one warning', inTime, async () => {
  await using bus = await ipcmSpawn({ protocol: 'AtomicPipe' });
  const sender = await bus.connect('sender');
  const handle = await ipcmServiceHandle('nobody', bus);
  const warnings: (string | undefined)[] = [];
  const heard = ({ code }: Error & { code?: string }): void => void warnings.push(code);
  process.on('warning', heard);
  for (let n = 0; n < 4100; n++) await sender.sendMessage(handle.client.id, n);
  const kept = await handle.messages();
  await new Promise(setImmediate);
  process.off('warning', heard);
  assert.deepEqual([kept.length, kept[0]?.content, kept.at(-1)?.content], [4096, 4, 4099]);
  assert.deepEqual(warnings, ['IPCM_UNREAD_MESSAGES']);
  await handle.stop();
});

test('of outcomes that nobody takes the last 65,536 are kept', inTime, async () => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory' });
  const handle = await ipcmServiceHandle('nobody', bus);
  const warned = once(process, 'warning') as Promise<[Error & { code?: string }]>;
  const first = handle.sendRequest(0);
  for (let n = 0; n < 65_536; n++) handle.sendRequest(n);
  assert.equal((await handle.awaitAllResponses()).size, 65_536);
  assert.equal((await warned)[0].code, 'IPCM_UNREAD_MESSAGES');
  throwsWith(() => handle.getResponse(first), 'IPCM_INVALID_OPTION');
  await handle.stop();
});
