// A service that blocks its event loop, or is stopped, is slow and not dead. IPCM_STALL sets for how many milliseconds it
// is stopped, and three times as long blocked (default 1000), IPCM_STALL_PROTOCOLS on which protocols.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmSpawn } from '../../src/index.ts';
import { resolveProtocol } from '../../src/protocols/resolve.ts';
import { ipcmService } from '../../src/service/index.ts';
import { take } from '../../src/testing/assertions.ts';
import { helper } from '../../src/testing/services/helper.ts';

const stall = Number(process.env['IPCM_STALL'] ?? 1000);
const chosen = process.env['IPCM_STALL_PROTOCOLS'] ?? 'AtomicPipe,UnixSocket,ConnectionUnix,SQLite,MessageFiles';

describe(
  `a service that is stopped for ${stall} ms, or busy for ${3 * stall}, answers afterwards`,
  { concurrency: true },
  () => {
    for (const name of chosen.split(',')) {
      it(`on ${name}`, { timeout: 50_000 + 6 * stall }, async (context) => {
        const reason = await (await resolveProtocol(name)).unviable({ protocolOptions: {} });
        if (reason !== undefined) {
          assert.equal(process.env['IPCM_NO_SKIPS'], undefined, reason);
          context.skip(`${name} is not viable here: ${reason}`);
          return;
        }
        await using bus = await ipcmSpawn({ protocol: name });
        const observer = await bus.connect('observer');
        await using handle = await ipcmService('helper', helper, { ipcmInfo: bus.info });
        const pid = handle.childPid ?? 0;
        process.kill(pid, 'SIGSTOP');
        const stopped = handle.request({ do: 'echo', with: 'was stopped' });
        await sleep(stall);
        assert.deepEqual(await observer.reap(), []);
        process.kill(pid, 'SIGCONT');
        assert.equal(await stopped, 'was stopped');
        const blocked = handle.request({ do: 'block', with: 3 * stall });
        await take(observer, 1);
        const behind = handle.request({ do: 'echo', with: 'was behind' });
        assert.deepEqual(await Promise.all([blocked, behind]), ['unblocked', 'was behind']);
        assert.ok(await observer.peerActive('helper'));
      });
    }
  },
);
