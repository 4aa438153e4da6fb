import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipcmSpawn, isAlive } from '../../src/index.ts';
import { ipcmService, ipcmServiceHandle } from '../../src/service/index.ts';
import { until } from '../../src/testing/until.ts';

const alive = (pid: number): boolean => isAlive({ pid, start: undefined, boot: undefined, namespace: undefined });

test('a daemon that was not ready in time ends when it is', async (t) => {
  await using bus = await ipcmSpawn({ sanityCheck: false });
  const directory = mkdtempSync(join(tmpdir(), 'daemons-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'pid');
  const late = {
    postFork(params: { readonly file: string }) {
      process.getBuiltinModule('node:fs').writeFileSync(params.file, `${process.pid}\n`);
    },
    // Until it is let go on.
    async onStart({ params }: { readonly params: { readonly file: string } }) {
      const { existsSync: isThere } = process.getBuiltinModule('node:fs');
      while (!isThere(`${params.file}.go`)) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    handleRequest: () => null,
  };
  const options = { ipcmInfo: bus.info, daemonize: true, startTimeout: 1000, params: { file } };
  const said = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  // One that has not even begun by then never does.
  for (let tries = 0; tries < 5 && !said().endsWith('\n'); tries++)
    await assert.rejects(ipcmService('late', late, options), { code: 'IPCM_TIMEOUT' });
  assert.match(said(), /^\d+\n$/);
  writeFileSync(`${file}.go`, '');
  await until('its process has ended', () => !alive(Number(said())));
});

test('a daemon that nobody waits for stays', async () => {
  await using bus = await ipcmSpawn({ sanityCheck: false });
  const handle = await ipcmService('unwaited', () => process.pid, { ipcmInfo: bus.info, daemonize: true, wait: false });
  await handle.ready({ timeout: 20_000 });
  const pid = await handle.request(null);
  await handle.detach();
  const other = await ipcmServiceHandle('unwaited', bus);
  assert.equal(await other.request(null), pid);
  await other.terminate({ timeout: 20_000 });
  await other.stop();
});

test('a store that was not handed over in time stays where it is', async () => {
  await using bus = await ipcmSpawn({ sanityCheck: false });
  await assert.rejects(bus.cleave({ startTimeout: 1, idleTimeout: 50 }), { code: 'IPCM_TIMEOUT' });
  // A new owner that had come after all would have found nobody, and removed the store, by the time that another one has.
  const other = await ipcmSpawn();
  const keeper = await other.cleave({ idleTimeout: 50 });
  await until('that of another store has ended', () => !alive(keeper.pid));
  const client = await bus.connect('still');
  await client.disconnect();
});

test('a daemon that is stuck is ended by signals', async () => {
  await using bus = await ipcmSpawn({ sanityCheck: false });
  const stuck = () => {
    for (;;);
  };
  const handle = await ipcmService('stuck', stuck, { ipcmInfo: bus.info, daemonize: true });
  const pid = await handle.servicePid();
  const asked = assert.rejects(handle.request(null));
  await handle.stop({ timeout: 200 });
  await asked;
  assert.ok(!alive(pid ?? 0));
});

test('a daemon may go on to write to the stderr that it has of its starter', async () => {
  await using bus = await ipcmSpawn({ sanityCheck: false });
  const module = new URL('../../src/service/index.ts', import.meta.url).href;
  const code = `
    const { ipcmService } = await import(${JSON.stringify(module)});
    const service = { handleRequest: (text) => new Promise((resolve) => process.stderr.write(text, resolve)) };
    const options = { ipcmInfo: ${JSON.stringify(bus.info)}, daemonize: true, stderr: 'inherit' };
    const handle = await ipcmService('writer', service, options);
    await handle.request('first ');
    await handle.detach();`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  starter.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const closed = once(starter.stderr, 'close');
  await once(starter, 'exit');
  const handle = await ipcmServiceHandle('writer', bus);
  await handle.request('second');
  await handle.terminate({ timeout: 20_000 });
  await handle.stop();
  await closed;
  assert.equal(said, 'first second');
});
