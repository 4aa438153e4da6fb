// What a start that fails is told as, and what names a service.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmService } from '../../src/service/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';

const folder = mkdtempSync(join(tmpdir(), 'ipcm-starts-'));
after(() => rmSync(folder, { recursive: true }));
const spawn = { protocol: 'AtomicPipe' };

describe('a start that fails', () => {
  it('says what ended a service in the midst of it', async () => {
    const bySignal = {
      async onStart() {
        process.kill(process.pid, 'SIGTERM');
        await new Promise((resolve) => setTimeout(resolve, 100));
        return new Promise<void>(() => undefined);
      },
      drainTimeout: 0,
    };
    const signalled = await rejectsWith(ipcmService('ended', bySignal, { spawn }), 'IPCM_SERVICE_FAILED');
    assert.match(signalled.message, /"ended" did not start: it was ended during its start, by SIGTERM$/);
    assert.equal(Reflect.get(signalled.details ?? {}, 'code'), 0);

    const byItself = { onStart: (service: { end(): void }) => (service.end(), new Promise<void>(() => undefined)) };
    const ended = ipcmService('ended', byItself, { spawn, drainTimeout: 0 });
    assert.match((await rejectsWith(ended, 'IPCM_SERVICE_FAILED')).message, /during its start, by a call of end\(\)$/);

    await using bus = await ipcmSpawn(spawn);
    const killer = await bus.connect('killer');
    const waiting = {
      async onStart({ client }: { client: { sendMessage(peer: string, content: unknown): Promise<void> } }) {
        await client.sendMessage('killer', 'here');
        return new Promise<void>(() => undefined);
      },
      drainTimeout: 0,
    };
    const told = rejectsWith(ipcmService('told', waiting, { ipcmInfo: bus.info }), 'IPCM_SERVICE_FAILED');
    await killer.getMessages({ timeout: 30_000 });
    await killer.sendMessage('told', { terminate: 1 });
    assert.match((await told).message, /during its start, by a terminate message from "killer"$/);
  });

  it('names the variable that an inline function has not', async () => {
    const outside = 'not there';
    for (const body of [
      { postFork: () => void outside.length, handleRequest: () => 1 },
      { onStart: () => void outside.length, handleRequest: () => 1 },
    ]) {
      const { cause } = await rejectsWith(
        ipcmService('inline', body, { spawn, stderr: 'ignore' }),
        'IPCM_SERVICE_FAILED',
      );
      assert.match(String(cause), /an inline function uses "outside"/);
      assert.equal(Reflect.get(Object(cause) as object, 'code'), 'IPCM_NOT_SELF_CONTAINED');
    }
  });

  it('names a working directory that is not there', async () => {
    const cwd = join(folder, 'nowhere');
    const { message } = await rejectsWith(
      ipcmService('lost', () => 1, { spawn, cwd }),
      'IPCM_SERVICE_FAILED',
    );
    assert.match(message, /"lost" did not start: its cwd ".*nowhere" does not exist$/);
  });

  it('is refused where startTimeout is no number', async () => {
    const { message } = await rejectsWith(
      ipcmService('nan', () => 1, { spawn, startTimeout: NaN }),
      'IPCM_INVALID_OPTION',
    );
    assert.match(message, /startTimeout is a number of milliseconds, not NaN/);
  });
});

describe('a module', () => {
  it('is not taken for an inline function where it uses what is not defined', async () => {
    const typo = join(folder, 'typo.mjs');
    writeFileSync(typo, 'export default () => misspelled;');
    await using service = await ipcmService('typo', typo, { spawn, stderr: 'ignore' });
    const { message } = await rejectsWith(service.request(0), 'IPCM_REQUEST_FAILED');
    assert.doesNotMatch(message, /inline|misspelled/);
  });

  it('may be a path with the name of an export, or one with a # in it', async () => {
    const several = join(folder, 'several.mjs');
    writeFileSync(several, 'export const one = () => 1; export const two = () => 2;');
    const hash = join(folder, 'with#hash.mjs');
    writeFileSync(hash, 'export default () => 3;');
    for (const [what, answer] of [
      [`${several}#two`, 2],
      [hash, 3],
    ] as const) {
      await using service = await ipcmService('path', what, { spawn });
      assert.equal(await service.request(0), answer);
    }
  });
});
