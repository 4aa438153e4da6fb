import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, parseInfo } from '../../src/index.ts';
import { Sandbox, values } from './run.ts';

test('spawn holds the bus until stdin ends', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, info } = await sandbox.bus();
  const [protocol, , route] = parseInfo('test', info);
  assert.equal(protocol, 'IPC::Manager::Client::MessageFiles');
  assert.ok(existsSync(route));
  running.end();
  assert.equal((await running.ended).code, 0);
  assert.ok(!existsSync(route));
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`spawn shuts down at ${signal}, and its clients with it`, async (t) => {
    const sandbox = new Sandbox(t);
    const { running, env } = await sandbox.bus('--no-stdin');
    running.end();
    const client = sandbox.start(['connect', 'a', '--listen'], env);
    const other = sandbox.start(['connect', 'b', '--listen'], env);
    client.write('{"to":"a","content":"here"}\n');
    other.write('{"to":"b","content":"here"}\n');
    await Promise.all([client.until('stdout', /here/), other.until('stdout', /here/)]);
    running.kill(signal);
    assert.equal((await running.ended).code, 0);
    for (const { code, stdout } of await Promise.all([client.ended, other.ended])) {
      assert.equal(code, 0);
      assert.match(stdout, /"content":\{"terminate":1\}/);
    }
  });
}

test('spawn --keep leaves a store, destroy removes it', async (t) => {
  const sandbox = new Sandbox(t);
  const { code, stdout } = await sandbox.run([
    'spawn',
    '--keep',
    '--serializer',
    'JSON',
    '--route',
    join(sandbox.directory, 'bus'),
  ]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `["IPC::Manager::Client::MessageFiles","IPC::Manager::Serializer::JSON","${sandbox.directory}/bus"]\n`,
  );
  const destroyed = await sandbox.run(['destroy', '--json', stdout.trim()]);
  assert.deepEqual(values(destroyed.stdout), [
    { route: `${sandbox.directory}/bus`, removed: true, clients: 0, unread: 0 },
  ]);
  assert.ok(!existsSync(join(sandbox.directory, 'bus')));
  const again = await sandbox.run(['destroy', stdout.trim()]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^ipcm: IPCM_STORE_MISSING: /);
});

test('messages that nobody read are exit code 5', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  assert.equal((await sandbox.run(['recv', 'mailbox', '--suspend'], { env })).code, 0);
  assert.equal((await sandbox.run(['send', 'mailbox', '1'], { env })).code, 0);
  running.end();
  const { code, stderr } = await running.ended;
  assert.equal(code, 5);
  assert.match(stderr, /^ipcm: IPCM_SANITY_MISMATCH: .*\n1 ipcm-\d+ -> mailbox\nunread: /m);
});

test('the second Ctrl-C ends a shutdown that waits, and the store goes all the same', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, info, env } = await sandbox.bus();
  const client = sandbox.start(['connect', 'stuck', '--listen'], env);
  client.write('{"to":"stuck","content":"here"}\n');
  await client.until('stdout', /here/);
  client.kill('SIGSTOP');
  running.kill('SIGINT');
  await running.until('stderr', /once more ends it at once/);
  running.kill('SIGINT');
  assert.equal((await running.ended).code, 130);
  assert.ok(!existsSync(parseInfo('test', info)[2]));
});

test('a shutdown that gives up waiting says so and removes the store', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus('--timeout', '0.1');
  const client = sandbox.start(['connect', 'stuck', '--listen'], env);
  client.write('{"to":"stuck","content":"here"}\n');
  await client.until('stdout', /here/);
  client.kill('SIGSTOP');
  running.end();
  const { code, stderr } = await running.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^ipcm: IPCM_SHUTDOWN_INCOMPLETE: /m);
});

test('reap removes the store of a guard that was killed', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, info } = await sandbox.bus();
  const [, , route] = parseInfo('test', info);
  // Only this one: other tests make stale stores of their own.
  const early = await sandbox.run(['reap', '--json', '--route', route]);
  assert.equal(early.stdout, '');
  assert.ok(existsSync(route));
  running.kill('SIGKILL');
  await running.ended;
  assert.ok(!isAlive({ pid: running.pid, start: undefined, boot: undefined, namespace: undefined }));
  const row = { protocol: 'MessageFiles', route, pid: running.pid };
  const listed = await sandbox.run(['reap', '--dry-run', '--json', '--route', route]);
  assert.deepEqual(values(listed.stdout), [{ ...row, removed: false }]);
  assert.ok(existsSync(route));
  const reaped = await sandbox.run(['reap', '--json', '--route', route]);
  assert.deepEqual(values(reaped.stdout), [{ ...row, removed: true }]);
  assert.equal(reaped.code, 0);
  assert.ok(!existsSync(route));
});

test('what cannot be spawned', async (t) => {
  const sandbox = new Sandbox(t);
  for (const [args, code, message] of [
    [['--protocol', 'Pigeon'], 2, /IPCM_UNKNOWN_PROTOCOL/],
    [['--serializer', 'Morse'], 2, /IPCM_UNKNOWN_SERIALIZER/],
    [['--serializer', '["JSON'], 2, /IPCM_USAGE/],
    [['--signal', 'SIGNOTHING'], 2, /IPCM_INVALID_OPTION/],
    [['--guard', '--keep'], 2, /IPCM_USAGE: --guard and --keep/],
    [['--route', '/dev/null'], 1, /IPCM_ROUTE_INVALID/],
    [['--no-such-option'], 2, /IPCM_USAGE/],
    [['superfluous'], 2, /IPCM_USAGE/],
  ] as const) {
    const ended = await sandbox.run(['spawn', ...args]);
    assert.equal(ended.code, code, `${args.join(' ')}: ${ended.stderr}`);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, '');
    assert.doesNotMatch(ended.stderr, /\n\s+at /, 'no stack trace');
  }
});
