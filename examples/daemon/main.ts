// Uses the front end of a daemon as a shell would: each command is a process of its own, and the daemon outlives them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = mkdtempSync(join(tmpdir(), 'counter-'));
const counter = fileURLToPath(new URL('counter.ts', import.meta.url));

function run(...args: string[]): void {
  console.log('$ counter', ...args);
  const { status } = spawnSync(process.execPath, [counter, join(directory, 'bus'), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = status ?? 1;
}

run('start');
run('add', '5');
run('add', '37');
run('stop');

rmSync(directory, { recursive: true });
