// Services in processes of their own: how they are started, what they cost, and what becomes of what they have started.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';
import { lives } from '../../src/testing/faults.ts';
import { helper } from '../../src/testing/services/helper.ts';
import { until } from '../../src/testing/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'ipcm-processes-'));
after(() => rmSync(folder, { recursive: true }));
const spawn = { protocol: 'AtomicPipe' };

describe('a service in a process of its own', () => {
  it('writes into the files that it is given for its output', async () => {
    const [out, err] = [join(folder, 'out'), join(folder, 'err')];
    for (const word of ['one', 'two']) {
      await using service = await ipcmService(
        'loud',
        (said: string) => {
          console.log(`${said} to stdout`);
          console.error(`${said} to stderr`);
        },
        { spawn, stdout: { file: out }, stderr: { file: err } },
      );
      await service.request(word);
    }
    assert.equal(readFileSync(out, 'utf8'), 'one to stdout\ntwo to stdout\n');
    assert.equal(readFileSync(err, 'utf8'), 'one to stderr\ntwo to stderr\n');
    assert.deepEqual(
      [out, err].map((file) => statSync(file).mode & 0o777),
      [0o600, 0o600],
    );
  });

  it('runs postFork with its params before it connects', async () => {
    const body = {
      postFork(params: unknown) {
        Object.assign(globalThis, { forked: params });
      },
      onStart() {
        Object.assign(globalThis, { started: Reflect.get(globalThis, 'forked') as unknown });
      },
      handleRequest: () => Reflect.get(globalThis, 'started') as unknown,
    };
    await using service = await ipcmService('forked', body, { spawn, params: { secret: 1 } });
    assert.deepEqual(await service.request(0), { secret: 1 });
  });

  it('is never on the bus when postFork throws', async () => {
    await using bus = await ipcmSpawn(spawn);
    const observer = await bus.connect('observer');
    const met = new Set<string>();
    const unwatch = observer.watchPeers(() => void observer.peers().then((names) => names.forEach((n) => met.add(n))));
    const body = {
      postFork() {
        throw new RangeError('not in this process');
      },
      handleRequest: () => 1,
    };
    const error = await rejectsWith(ipcmService('forked', body, { ipcmInfo: bus.info }), 'IPCM_SERVICE_FAILED');
    assert.match(String(error.cause), /not in this process/);
    unwatch();
    assert.ok(!met.has('forked'));
  });

  it('says which of its settings makes no sense', async () => {
    const service = ipcmService('wrong', () => 1, { spawn, drainTimeout: -1 });
    const { cause } = await rejectsWith(service, 'IPCM_SERVICE_FAILED');
    assert.match(String(cause), /drainTimeout/);
  });

  it('is started by the interpreter and the command that it is given', async () => {
    const execPath = join(folder, 'another-node');
    symlinkSync(process.execPath, execPath);
    const seen: string[][] = [];
    await using service = await ipcmService(
      'forked',
      () => [process.argv0, process.env['IPCM_PRE_FORK'], process.execArgv.includes('--no-deprecation')],
      {
        spawn,
        execPath,
        preFork(plan) {
          seen.push([...plan.command]);
          plan.env['IPCM_PRE_FORK'] = 'as planned';
          plan.command.splice(1, 0, '--no-deprecation');
        },
      },
    );
    assert.equal(seen[0]?.[0], execPath);
    assert.deepEqual(await service.request(0), [execPath, 'as planned', true]);
  });

  it('uses next to no CPU while it has nothing to do, and answers long before its next interval', async () => {
    const body = {
      interval: 600_000,
      onInterval: () => undefined,
      handleRequest() {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      },
    };
    await using service = await ipcmService('idle', body, { spawn });
    const before = await service.request(0, { timeout: 60_000 });
    await sleep(2000);
    const used = (await service.request(0, { timeout: 60_000 })) - before;
    assert.ok(used < 400, `${used} ms of CPU in two seconds`);
  });

  it('takes a worker along that ignores SIGTERM, when it is killed', async () => {
    await using bus = await ipcmSpawn({ ...spawn, sanityCheck: false });
    const service = await ipcmService('helper', helper, { ipcmInfo: bus.info });
    const worker = Number(await service.request({ do: 'work', with: { name: 'stubborn' } }));
    process.kill(service.childPid ?? 0, 'SIGKILL');
    await until('the worker has gone', () => !lives(worker), 20_000);
    await service.stop();
  });
});
