// Connect, request, leave, over and over: nothing is left behind. IPCM_CYCLES sets how often in one process (default 300),
// IPCM_PROCESS_CYCLES how often with a process for each (default 3), IPCM_CYCLE_PROTOCOLS on which protocols.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ipcmSpawn, type Spawn } from '../../src/index.ts';
import { resolveProtocol } from '../../src/protocols/resolve.ts';
import { ipcmServe, ipcmService, ipcmServiceHandle } from '../../src/service/index.ts';
import { descriptors } from '../../src/testing/leaks.ts';
import { helper } from '../../src/testing/services/helper.ts';
import { until } from '../../src/testing/until.ts';

const cycles = Number(process.env['IPCM_CYCLES'] ?? 300);
const processCycles = Number(process.env['IPCM_PROCESS_CYCLES'] ?? 3);
const chosen = process.env['IPCM_CYCLE_PROTOCOLS'] ?? 'AtomicPipe,UnixSocket,ConnectionUnix,SQLite,MessageFiles';
/** Cycles after which caches are filled and code is compiled. */
const warmUp = 50;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of the heap that something refers to. */
async function held(): Promise<number> {
  // What is to be collected may have to be closed first.
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** What a sender keeps open for peers that it has sent to, at most: that may be more at the end than at the beginning. */
const keptOpen = 256 + 64;

/** A handle, every third time under a name of its own, and every other time a service of this process; used once. */
async function cycle(bus: Spawn, n: number): Promise<void> {
  const client = n % 3 === 0 ? undefined : 'always the same';
  const handle = await ipcmServiceHandle(n % 2 === 0 ? 'steady' : 'brief', bus.info, { client });
  const brief = n % 2 === 0 ? undefined : await ipcmServe('brief', bus.info, helper);
  assert.equal(await handle.request({ do: 'echo', with: n }, { timeout: 30_000 }), n);
  brief?.service.end();
  await brief?.ended;
  await handle.stop();
}

async function processCycle(bus: Spawn, n: number): Promise<number> {
  const handle = await ipcmService('started', helper, { ipcmInfo: bus.info });
  assert.equal(await handle.request({ do: 'echo', with: n }), n);
  await handle.stop();
  assert.deepEqual(await handle.ended, { code: 0, signal: null });
  return handle.childPid ?? 0;
}

describe('connect, request and leave, again and again, leaves nothing', () => {
  for (const name of chosen.split(',')) {
    it(`on ${name}`, { timeout: 30_000 + cycles * 100 + processCycles * 5000 }, async (context) => {
      const reason = await (await resolveProtocol(name)).unviable({ protocolOptions: {} });
      if (reason !== undefined) {
        assert.equal(process.env['IPCM_NO_SKIPS'], undefined, reason);
        context.skip(`${name} is not viable here: ${reason}`);
        return;
      }
      const bus = await ipcmSpawn({ protocol: name });
      const steady = await ipcmServe('steady', bus.info, helper);
      try {
        for (let n = 0; n < warmUp; n++) await cycle(bus, n);
        const [memory, open] = [await held(), descriptors().length];
        for (let n = 0; n < cycles; n++) await cycle(bus, n);
        const perCycle = ((await held()) - memory) / cycles;
        const more = descriptors().length - open;
        const facts = `${perCycle.toFixed(0)} bytes of heap more for each, ${more} descriptors for all`;
        context.diagnostic(`${name}: ${cycles} cycles, ${facts}`);
        // A name that was sent to costs an entry in the counts of its sender; a client would cost more than ten thousand.
        assert.ok(perCycle * cycles < 2_000_000 + cycles * 600, facts);
        assert.ok(more <= Math.min(keptOpen, cycles / 3 + 2), facts);
        const client = await bus.connect('looking around');
        assert.deepEqual(await client.peers(), ['steady']);
        const names = [...(await client.allStats()).keys()];
        assert.ok(names.length < 10, `counts are kept of ${names.length} names`);
        const before = descriptors().length;
        for (let n = 0; n < processCycles; n++) await processCycle(bus, n);
        await until('descriptors are let go', () => descriptors().length <= before + processCycles + 2);
        assert.deepEqual(await client.peers(), ['steady']);
        await client.disconnect();
      } finally {
        steady.service.end();
        await steady.ended;
      }
      const { delta } = await bus.shutdown();
      assert.deepEqual(delta?.mismatches ?? [], []);
    });
  }
});
