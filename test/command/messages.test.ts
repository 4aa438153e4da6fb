import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sandbox, values } from './run.ts';

const contents = (stdout: string): unknown[] => values(stdout).map(({ content }) => content);

test('send, and recv under a suspended name', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env, info } = await sandbox.bus();
  const made = await sandbox.run(['recv', 'mailbox', '--suspend'], { env });
  assert.deepEqual([made.code, made.stdout, made.stderr], [0, '', '']);
  assert.equal((await sandbox.run(['send', 'mailbox', '{"a":[1,2]}'], { env })).code, 0);
  assert.equal((await sandbox.run(['send', 'mailbox', '--text', 'just words', info])).code, 0);
  assert.equal((await sandbox.run(['send', 'mailbox', '-'], { env, input: '[\n3]\n' })).code, 0);
  assert.equal(
    (await sandbox.run(['--info', info, 'send', 'mailbox', '--name', 'boss'], { input: '"from stdin"' })).code,
    0,
  );
  const first = await sandbox.run(['recv', 'mailbox', '-n', '2'], { env });
  assert.deepEqual(contents(first.stdout), [{ a: [1, 2] }, 'just words']);
  assert.match(first.stderr, /more messages wait for "mailbox"/);
  assert.equal(first.code, 0);
  const rest = await sandbox.run(['recv', 'mailbox'], { env });
  assert.deepEqual(contents(rest.stdout), [[3], 'from stdin']);
  assert.equal(values(rest.stdout)[1]?.['from'], 'boss');
  assert.equal((await sandbox.run(['send', 'mailbox', '4'], { env })).code, 4, 'the name is free again');
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('what cannot be sent', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  await sandbox.run(['recv', 'mailbox', '--suspend'], { env });
  for (const [args, code, message] of [
    [['nobody', '1'], 4, /^ipcm: IPCM_PEER_UNKNOWN: /],
    [['mailbox', 'no json'], 2, /^ipcm: IPCM_USAGE: the content is not JSON .*--text/],
    [['mailbox', 'null'], 2, /^ipcm: IPCM_INVALID_CONTENT: /],
    [['mailbox', '1', 'nonsense'], 2, /^ipcm: IPCM_INVALID_INFO: /],
    [['mailbox', '1', '--name', '_me'], 2, /^ipcm: IPCM_INVALID_NAME: /],
    [[], 2, /^ipcm: IPCM_USAGE: missing required argument 'peer'/],
  ] as const) {
    const ended = await sandbox.run(['send', ...args], { env });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
  }
  const { code, stderr } = await sandbox.run(['send', 'nobody', '1', '--json'], { env });
  assert.equal(code, 4);
  assert.deepEqual(
    values(stderr).map(({ code: each, peer }) => [each, peer]),
    [['IPCM_PEER_UNKNOWN', 'nobody']],
  );
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('a suspended name can send, and keeps its messages', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  await sandbox.run(['recv', 'me', '--suspend'], { env });
  await sandbox.run(['recv', 'worker', '--suspend'], { env });
  await sandbox.run(['send', 'me', '"waits"'], { env });
  const sent = await sandbox.run(['send', '--name', 'me', 'worker', '"job"'], { env });
  assert.equal(sent.code, 0, sent.stderr);
  assert.equal(values((await sandbox.run(['recv', 'worker'], { env })).stdout)[0]?.['from'], 'me');
  assert.deepEqual(contents((await sandbox.run(['recv', 'me'], { env })).stdout), ['waits']);
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('recv -n waits, -W gives up with exit code 3', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const late = await sandbox.run(['recv', 'a', '-n', '1', '-W', '0.05'], { env });
  assert.equal(late.code, 3);
  assert.match(late.stderr, /^ipcm: IPCM_TIMEOUT: .*0\.05 seconds, 0 of 1/);
  const waiting = sandbox.start(['recv', 'a', '-n', '2', '-W', '30'], env);
  const sender = sandbox.start(['connect', 'sender', '--listen'], env);
  sender.write('{"to":"sender","content":"here"}\n');
  await sender.until('stdout', /here/);
  // Sent again until it is there: who comes first is not ours to say.
  let code: number | null = 4;
  while (code === 4) ({ code } = await sandbox.run(['send', 'a', '1'], { env }));
  sender.write('{"to":"a","content":2}\n');
  assert.deepEqual(contents((await waiting.ended).stdout), [1, 2]);
  sender.end();
  sender.kill('SIGTERM');
  await sender.ended;
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('recv --follow goes on until the terminate message', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  await sandbox.run(['recv', 'a', '--suspend'], { env });
  await sandbox.run(['send', 'a', '1'], { env });
  const following = sandbox.start(['recv', 'a', '--follow'], env);
  assert.deepEqual(contents(`${await following.firstLine()}\n`), [1]);
  await sandbox.run(['send', 'a', '2'], { env });
  const told = await sandbox.run(['broadcast', '{"terminate":1}'], { env });
  assert.deepEqual([told.code, told.stdout], [0, 'a\n']);
  const { code, stdout } = await following.ended;
  assert.equal(code, 0);
  assert.deepEqual(contents(stdout), [1, 2]);
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('Ctrl-C ends recv: 0 with --follow, 130 while it waits for a count', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  for (const [args, code] of [
    [['--follow'], 0],
    [['-n', '2'], 130],
  ] as const) {
    await sandbox.run(['recv', 'a', '--suspend'], { env });
    await sandbox.run(['send', 'a', '1'], { env });
    const reading = sandbox.start(['recv', 'a', ...args], env);
    await reading.firstLine();
    reading.kill('SIGINT');
    assert.equal((await reading.ended).code, code);
  }
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('recv --ack: a killed reader gets again what it had not written', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  await sandbox.run(['recv', 'a', '--suspend'], { env });
  const count = 3000;
  const input = Array.from(
    { length: count },
    (_, n) => `${JSON.stringify({ to: 'a', content: { n, pad: 'x'.repeat(200) } })}\n`,
  ).join('');
  assert.equal((await sandbox.run(['connect', 'sender'], { env, input })).code, 0);
  const reading = sandbox.start(['recv', 'a', '--follow', '--ack'], env);
  await reading.until('stdout', /"n":0,/);
  // Nobody reads on: the writer stands still at a full pipe, amid its messages.
  reading.child.stdout?.pause();
  reading.kill('SIGKILL');
  reading.child.stdout?.resume();
  const before = contents((await reading.ended).stdout.replace(/[^\n]*$/, '')) as { n: number }[];
  const again = await sandbox.run(['recv', 'a', '--ack'], { env });
  const after = contents(again.stdout) as { n: number }[];
  const seen = new Set([...before, ...after].map(({ n }) => n));
  assert.equal(seen.size, count);
  assert.deepEqual(
    after.map(({ n }) => n),
    [...after].map(({ n }) => n).sort((a, b) => a - b),
  );
  running.end();
  await running.ended;
});

test('broadcast names who got it', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  for (const name of ['a', 'b']) await sandbox.run(['recv', name, '--suspend'], { env });
  const { code, stdout } = await sandbox.run(['broadcast', '--json', '{"x":1}'], { env });
  assert.equal(code, 0);
  assert.deepEqual(values(stdout), [
    { peer: 'a', sent: true },
    { peer: 'b', sent: true },
  ]);
  for (const name of ['a', 'b'])
    assert.deepEqual(contents((await sandbox.run(['recv', name], { env })).stdout), [{ x: 1 }]);
  running.end();
  assert.equal((await running.ended).code, 0);
});
