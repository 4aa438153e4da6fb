import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService, ipcmServiceHandle } from '../../src/service/index.ts';

test('a handle that was detached leaves its daemon alone, also at the end of its scope', async () => {
  await using bus = await ipcmSpawn();
  const pid = await (async () => {
    await using handle = await ipcmService('daemon', () => process.pid, { ipcmInfo: bus.info, daemonize: true });
    const serving = await handle.servicePid();
    await handle.detach();
    return serving;
  })();
  const other = await ipcmServiceHandle('daemon', bus);
  assert.equal(await other.request('you', { timeout: 20_000 }), pid);
  await other.terminate({ timeout: 20_000 });
  await other.stop();
});
