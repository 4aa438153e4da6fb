import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isAlive, pidIsRunning, signalReaches } from '../../src/liveness/alive.ts';
import {
  formatIdentity,
  ownIdentity,
  parseIdentity,
  readProcStat,
  type ProcessIdentity,
} from '../../src/liveness/identity.ts';
import { until } from '../../src/testing/until.ts';

const linux = process.platform === 'linux' ? false : 'needs /proc';
const of = (pid: number): ProcessIdentity => ({ ...ownIdentity(), pid, start: readProcStat(pid)?.start });

test('this process lives, by number alone as well', () => {
  assert.ok(isAlive(ownIdentity()));
  assert.ok(isAlive({ pid: process.pid, start: undefined, boot: undefined, namespace: undefined }));
  assert.ok(isAlive(of(process.ppid)));
  assert.equal(pidIsRunning(process.pid), 1);
});

test('a number used again is another process', { skip: linux }, () => {
  assert.equal(isAlive({ ...ownIdentity(), start: '1' }), false);
  assert.equal(isAlive({ ...of(process.ppid), start: '1' }), false);
});

test('a process of another boot is dead', { skip: linux }, () => {
  assert.equal(isAlive({ ...ownIdentity(), boot: '00000000-0000-4000-8000-000000000000' }), false);
});

test('a process of another pid namespace is never called dead', { skip: linux }, () => {
  assert.ok(isAlive({ ...ownIdentity(), pid: 2_147_483_647, namespace: '1' }));
});

test('a stopped process lives, a killed one is dead', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const identity = of(child.pid ?? 0);
  child.kill('SIGSTOP');
  assert.ok(isAlive(identity));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isAlive(identity), false);
  assert.equal(signalReaches(identity.pid), false);
  assert.equal(pidIsRunning(identity.pid), 0);
});

test('a zombie is dead', { skip: linux }, async (t) => {
  // The shell becomes a sleep, which never asks after the child that the shell had started.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  await until('the child has ended', () => readProcStat(pid)?.state === 'Z');
  assert.ok(signalReaches(pid));
  assert.equal(isAlive({ pid, start: undefined, boot: undefined, namespace: undefined }), false);
  assert.equal(isAlive(of(pid)), false);
});

test('an identity survives being written and read; rubbish is none', () => {
  assert.deepEqual(parseIdentity(formatIdentity(ownIdentity())), ownIdentity());
  const bare = { pid: 7, start: undefined, boot: undefined, namespace: undefined };
  assert.deepEqual(parseIdentity(formatIdentity(bare)), bare);
  assert.deepEqual(parseIdentity(' 7 \n'), bare);
  for (const line of ['', '0', '-1', 'x', '1.5', '12345678901', '0x10'])
    assert.equal(parseIdentity(line), undefined, line);
  for (const pid of [0, -1, 1.5, NaN]) assert.throws(() => pidIsRunning(pid), TypeError);
});
