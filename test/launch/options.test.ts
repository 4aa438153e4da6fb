import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { isIpcError } from '../../src/errors.ts';
import { inheritedFlags, planOf } from '../../src/launch/options.ts';
import { startProcess } from '../../src/launch/start-process.ts';

const options = new URL('../../src/launch/options.ts', import.meta.url).href;

describe('the flags of the interpreter that a child inherits', () => {
  it('are all but those that are for this process alone', () => {
    const given = ['--no-warnings', '-e', 'code', '--inspect=1', '--input-type', 'module', '-r', './x.js', '--test'];
    assert.deepEqual(inheritedFlags(given, {}), ['--no-warnings', '-r', './x.js']);
    assert.deepEqual(inheritedFlags(['--print', 'x', '--conditions=dev', '--watch-path', '.', '--watch'], {}), [
      '--conditions=dev',
    ]);
  });

  it('are the user’s in a process of the test runner, which adds the defaults of most others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipcm-flags-'));
    const file = join(folder, 'flags.mjs');
    const code = `import { writeFileSync } from 'node:fs';
      import { planOf } from '${options}';
      writeFileSync('${folder}/flags.json', JSON.stringify(planOf('program', {}).command));`;
    writeFileSync(file, code);
    try {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      await promisify(execFile)(process.execPath, ['--test', '--conditions=mine', file], { env });
      const flags = (JSON.parse(readFileSync(join(folder, 'flags.json'), 'utf8')) as string[]).slice(1, -1);
      const harmless = /^--(?:experimental-|no-experimental-)/;
      assert.deepEqual(
        flags.filter((flag) => !harmless.test(flag)),
        ['--conditions=mine'],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the plan', () => {
  it('puts a wrapper before the interpreter, and takes what preFork makes of it', () => {
    const plan = planOf('program', {
      execPath: '/bin/node',
      execArgv: ['--flag'],
      wrapper: ['nice', '-n', '10'],
      env: { ADDED: 'yes', PATH: undefined },
      preFork: (made) => {
        made.command.push('more');
        made.cwd = '/';
      },
    });
    assert.deepEqual(plan.command, ['nice', '-n', '10', '/bin/node', '--flag', 'program', 'more']);
    assert.deepEqual([plan.cwd, plan.env['ADDED'], plan.env['PATH']], ['/', 'yes', undefined]);
  });

  it('is refused when preFork leaves nothing that could be run', () => {
    const preFork = (plan: { command: string[] }): void => void (plan.command = []);
    assert.throws(
      () => planOf('program', { preFork }),
      (error) => isIpcError(error, 'IPCM_INVALID_OPTION'),
    );
  });
});
it('values of flags that are not passed on are not passed on either', () => {
  for (const [given, expected] of [
    [
      ['--max-old-space-size=64', '--import', './hook.mjs', '--test'],
      ['--max-old-space-size=64', '--import', './hook.mjs'],
    ],
    [['--test-name-pattern', 'a b', '--test-reporter', 'dot', '--enable-source-maps'], ['--enable-source-maps']],
    [['--test-name-pattern=x', '--no-warnings'], ['--no-warnings']],
    [['-e', '-1', '--no-warnings'], ['--no-warnings']],
    [
      ['--inspect-port', '0', '--watch', '--conditions', 'development'],
      ['--conditions', 'development'],
    ],
  ] as const) {
    assert.deepEqual(inheritedFlags(given, {}), expected);
  }
});

describe('an output', () => {
  it('that cannot be written to is refused by name, and leaves no descriptor', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipcm-launch-'));
    const before = readdirSync('/proc/self/fd').length;
    try {
      const plan = planOf('unused', {});
      const outputs = { stdout: { file: join(folder, 'out') }, stderr: { file: join(folder, 'no/such') } } as const;
      assert.throws(() => startProcess(plan, { ...outputs, daemon: false, inherit: [] }), {
        code: 'IPCM_INVALID_OPTION',
        message: /no\/such/,
      });
      assert.equal(readdirSync('/proc/self/fd').length, before);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
