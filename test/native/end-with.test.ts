import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { native, skip } from './scene.ts';

const program = join(import.meta.dirname, 'fixtures/blocked.ts');

suite('the end of a process whose starter has gone', { skip }, () => {
  test('endWith kills a process whose event loop is blocked, when the other end of its pipe closes', async () => {
    const child = spawn(process.execPath, [program, '10'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    const ended = once(child, 'exit');
    assert.ok(child.stdout);
    await once(child.stdout, 'data');
    assert.equal(child.exitCode, null);
    const [, , , control] = child.stdio;
    assert.ok(control !== null && control !== undefined && 'destroy' in control);
    control.destroy();
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  });

  test('endWith refuses what is no descriptor or no time', () => {
    assert.throws(() => native().endWith(-1, 0), RangeError);
    assert.throws(() => native().endWith(0, -1), RangeError);
    assert.throws(() => native().endWith(1_000_000, 0), { code: 'EBADF', syscall: 'endWith' });
  });
});
