import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, ownIdentity } from '../../src/index.ts';
import { readProcStat } from '../../src/liveness/identity.ts';
import { until } from '../../src/testing/until.ts';

const program = join(import.meta.dirname, '../fixtures/service-starter.ts');

for (const protocol of ['MessageFiles', 'SQLite']) {
  test(`a service whose starter is killed ends, and takes the store along: ${protocol}`, async (context) => {
    const starter = spawn(process.execPath, [program, protocol], { stdio: ['ignore', 'pipe', 'inherit'] });
    context.after(() => starter.kill('SIGKILL'));
    assert.ok(starter.stdout);
    const [line] = (await once(starter.stdout.setEncoding('utf8'), 'data')) as [string];
    const { route, pid } = JSON.parse(line) as { readonly route: string; readonly pid: number };
    const service = { ...ownIdentity(), pid, start: readProcStat(pid)?.start };
    assert.ok(isAlive(service) && existsSync(route));
    starter.kill('SIGKILL');
    await until('the service and the store are gone', () => !isAlive(service) && !existsSync(route));
  });
}
