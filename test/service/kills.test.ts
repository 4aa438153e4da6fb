// A service is killed while a request is pending: who asked knows within a second, not by a timeout. IPCM_KILLS sets how often
// (default 3 on each protocol), IPCM_KILL_PROTOCOLS on which; where it is set pipes and sockets have a tenth of a second, since
// nothing else is to run beside then. What was measured is told as a diagnostic.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveProtocol } from '../../src/protocols/resolve.ts';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';
import { helper } from '../../src/testing/services/helper.ts';

const kills = Number(process.env['IPCM_KILLS'] ?? 3);
const chosen = process.env['IPCM_KILL_PROTOCOLS'] ?? 'AtomicPipe,UnixSocket,ConnectionUnix,SQLite,MessageFiles';
const timeout = 30_000;
const isAlone = process.env['IPCM_KILLS'] !== undefined;
const atOnce = ['AtomicPipe', 'UnixSocket', 'ConnectionUnix'];

/** Milliseconds from the kill to the error, after a wait of so many milliseconds between request and kill. */
async function kill(ipcmInfo: string, n: number): Promise<number> {
  const handle = await ipcmService(`victim-${n}`, helper, { ipcmInfo });
  const pending = handle.request({ do: 'hang' }, { timeout });
  await handle.request({ do: 'echo' });
  await sleep((n * 37) % 60);
  const begin = performance.now();
  process.kill(handle.childPid ?? 0, 'SIGKILL');
  await rejectsWith(pending, 'IPCM_PEER_GONE');
  const took = performance.now() - begin;
  await handle.stop();
  return took;
}

describe('after kill -9 of a service the one who asked knows', () => {
  for (const name of chosen.split(',')) {
    it(`on ${name}`, { timeout: 10_000 + kills * 5000 }, async (context) => {
      const reason = await (await resolveProtocol(name)).unviable({ protocolOptions: {} });
      if (reason !== undefined) {
        assert.equal(process.env['IPCM_NO_SKIPS'], undefined, reason);
        context.skip(`${name} is not viable here: ${reason}`);
        return;
      }
      const bus = await ipcmSpawn({ protocol: name, sanityCheck: false });
      const times: number[] = [];
      for (let n = 0; n < kills; n++) times.push(await kill(bus.info, n));
      await bus.shutdown();
      times.sort((a, b) => a - b);
      const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
      context.diagnostic(
        `${name}: ${kills} kills, noticed after ${at(0)} ms at best, ${at(0.5)} median, ${at(0.9)} p90, ${at(1)} worst`,
      );
      assert.ok((times.at(-1) ?? 0) < (isAlone && atOnce.includes(name) ? 100 : 1000), `${times.at(-1)} ms`);
    });
  }
});
