// A service is killed and its name is taken by another process, all before the one who asked has looked even once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';
import { helper } from '../../src/testing/services/helper.ts';

const library = new URL('../../src/service/index.ts', import.meta.url).href;
const clock = new Int32Array(new SharedArrayBuffer(4));

/** Does nothing, and lets nothing be done, until a file holds something else. */
function blockUntilChanged(path: string): void {
  const read = (): string | undefined => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      // Between the two holders there is none.
      return undefined;
    }
  };
  const [before, end] = [read(), Date.now() + 20_000];
  for (let now = read(); now === undefined || now === before; now = read()) {
    assert.ok(Date.now() < end, 'nobody has taken the name');
    Atomics.wait(clock, 0, 0, 5);
  }
}

describe('a request to a service that was replaced unseen is lost', () => {
  for (const protocol of ['MessageFiles', 'AtomicPipe', 'UnixSocket', 'ConnectionUnix']) {
    it(`on ${protocol}`, { timeout: 30_000 }, async (t) => {
      const bus = await ipcmSpawn({ protocol, sanityCheck: false });
      const handle = await ipcmService('helper', helper, { ipcmInfo: bus.info });
      const lost = rejectsWith(handle.request({ do: 'hang' }, { timeout: 20_000 }), 'IPCM_PEER_GONE');
      // With the one who is killed, not with its successor.
      await handle.client.drain({ timeout: 20_000 });
      process.kill(handle.childPid ?? 0, 'SIGKILL');
      const code = `
        import { ipcmServe } from '${library}';
        await (await ipcmServe('helper', ${JSON.stringify(bus.info)}, { handleRequest: (request) => request })).ended;`;
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const successor = spawn(process.execPath, ['--input-type=module', '-e', code], { env, stdio: 'inherit' });
      t.after(() => successor.kill('SIGKILL'));
      blockUntilChanged(`${bus.route}/helper.pid`);
      await lost;
      assert.ok(await handle.ready({ timeout: 20_000 }));
      assert.deepEqual(await handle.request({ do: 'echo' }, { timeout: 20_000 }), { do: 'echo' });
      await handle.terminate({ timeout: 20_000 });
      await handle.stop();
      if (successor.exitCode === null) await once(successor, 'exit');
      await bus.shutdown();
    });
  }
});
