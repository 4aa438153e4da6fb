import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ipcmService, ipcmSpares, ipcmSpawn, isAlive, ownIdentity, type Spares, type Spawn } from '../../src/index.ts';
import { readProcStat } from '../../src/liveness/identity.ts';
import { until } from '../../src/testing/until.ts';

const echo = (request: unknown): unknown => request;
const alive = (pid: number): boolean => isAlive({ ...ownIdentity(), pid, start: readProcStat(pid)?.start });
const gone = (pid: number): Promise<void> => until(`process ${pid} has ended`, () => !alive(pid));

/** The only process of a pool of one. */
function onlyPid(spares: Spares): number {
  const [pid, ...others] = spares.pids;
  assert.ok(pid !== undefined && others.length === 0);
  return pid;
}

describe('spare processes', () => {
  let bus: Spawn;
  before(async () => (bus = await ipcmSpawn({ guard: false })));
  after(() => bus.unspawn());

  test('a service takes the one that waits, and another one is started for it', async () => {
    using spares = ipcmSpares(1);
    const pid = onlyPid(spares);
    const handle = await ipcmService('taken', echo, { ipcmInfo: bus.info });
    assert.equal(handle.childPid, pid);
    assert.equal(await handle.request('hello'), 'hello');
    await until('there is another one', () => spares.pids.length === 1);
    assert.notEqual(onlyPid(spares), pid);
    await handle.stop();
    await gone(pid);
  });

  test('a service that asks for something else gets a process of its own', async () => {
    using spares = ipcmSpares(1, { env: { FLAVOUR: 'spare' } });
    const pid = onlyPid(spares);
    const handle = await ipcmService('other', () => process.env['FLAVOUR'] ?? null, { ipcmInfo: bus.info });
    assert.notEqual(handle.childPid, pid);
    assert.equal(await handle.request(1), null);
    assert.deepEqual(spares.pids, [pid]);
    await handle.stop();
  });

  test('one that was killed is not given out', async () => {
    using spares = ipcmSpares(1);
    const pid = onlyPid(spares);
    process.kill(pid, 'SIGKILL');
    await until('it is not offered any more', () => !spares.pids.includes(pid));
    const handle = await ipcmService('fresh', echo, { ipcmInfo: bus.info });
    assert.equal(await handle.request(1), 1);
    await handle.stop();
  });

  test('one that was killed is replaced, and again', async () => {
    using spares = ipcmSpares(1);
    for (let time = 0; time < 2; time++) {
      const pid = onlyPid(spares);
      process.kill(pid, 'SIGKILL');
      await until('another one waits', () => spares.pids.length === 1 && !spares.pids.includes(pid));
    }
  });

  test('a number that is none is refused', () => {
    for (const count of [Infinity, -1, 0.5, NaN]) {
      assert.throws(() => ipcmSpares(count), { code: 'IPCM_INVALID_OPTION' });
    }
  });

  test('those that nobody took end with the pool', async () => {
    const spares = ipcmSpares(2);
    const { pids } = spares;
    assert.equal(pids.length, 2);
    spares.stop();
    assert.deepEqual(spares.pids, []);
    await Promise.all(pids.map(gone));
  });

  test('and with the process that keeps them, even if it is killed', async (context) => {
    const program = join(import.meta.dirname, '../fixtures/spare-keeper.ts');
    const keeper = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    context.after(() => keeper.kill('SIGKILL'));
    assert.ok(keeper.stdout);
    const [line] = (await once(keeper.stdout.setEncoding('utf8'), 'data')) as [string];
    const pids = JSON.parse(line) as readonly number[];
    assert.ok(pids.length === 2 && pids.every(alive));
    keeper.kill('SIGKILL');
    await Promise.all(pids.map(gone));
  });
});
