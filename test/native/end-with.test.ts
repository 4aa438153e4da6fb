import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { native, skip } from './scene.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

suite('the end of a process whose starter has gone', { skip }, () => {
  const cases = [
    ['blocked.ts', 'whose event loop is blocked'],
    ['worker-gone.ts', 'whose worker called it and has ended'],
  ] as const;
  for (const [file, text] of cases) {
    test(`endWith kills a process ${text}, when the other end of its pipe closes`, async (context) => {
      const child = spawn(process.execPath, [join(fixtures, file), '10'], {
        stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      });
      context.after(() => child.kill('SIGKILL'));
      const ended = once(child, 'exit');
      assert.ok(child.stdout);
      await once(child.stdout, 'data');
      assert.equal(child.exitCode, null);
      const [, , , control] = child.stdio;
      assert.ok(control !== null && control !== undefined && 'destroy' in control);
      control.destroy();
      assert.deepEqual(await ended, [null, 'SIGKILL']);
    });
  }

  test('endWith refuses what is no descriptor or no time', () => {
    assert.throws(() => native().endWith(-1, 0), RangeError);
    assert.throws(() => native().endWith(0, -1), RangeError);
    assert.throws(() => native().endWith(1_000_000, 0), { code: 'EBADF', syscall: 'endWith' });
  });
});
