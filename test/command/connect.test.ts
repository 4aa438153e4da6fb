import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Sandbox, values } from './run.ts';

test('10,000 lines over a bridge and back, in order', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const there = sandbox.start(['connect', 'there', '--listen'], env);
  const here = sandbox.start(['connect', 'here', '--listen'], env);
  await Promise.all([
    (there.write('{"to":"there","content":"ready"}\n'), there.until('stdout', /ready.*\n/)),
    (here.write('{"to":"here","content":"ready"}\n'), here.until('stdout', /ready.*\n/)),
  ]);
  const lines = 10_000;
  // Echoes as a program in any language would: line in, line out.
  let rest = '';
  there.child.stdout?.on('data', (text: string) => {
    const whole = (rest + text).split('\n');
    rest = whole.pop() ?? '';
    const messages = whole.map((line) => JSON.parse(line) as { from: string; content: unknown });
    there.write(
      messages
        .filter(({ from }) => from === 'here')
        .map(({ from, content }) => `${JSON.stringify({ to: from, content })}\n`)
        .join(''),
    );
  });
  let back = 0;
  const all = new Promise<void>((resolve) => {
    here.child.stdout?.on('data', (text: string) => {
      back += text.split('\n').length - 1;
      if (back === lines) resolve();
    });
  });
  here.write(Array.from({ length: lines }, (_, n) => `{"to":"there","content":{"n":${n}}}\n`).join(''));
  await all;
  running.end();
  const [first, second, bus] = await Promise.all([here.ended, there.ended, running.ended]);
  assert.deepEqual([first.code, second.code, bus.code], [0, 0, 0], first.stderr + second.stderr + bus.stderr);
  const received = values(first.stdout).filter(({ from }) => from === 'there');
  assert.deepEqual(
    received.map(({ content }) => (content as { n: number }).n),
    Array.from({ length: lines }, (_, n) => n),
  );
});

test('without --listen it ends after the end of input, and prints what has come', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const input = '{"to":"self","content":[1,"ü",{"a":null}]}\n\n{"to":"self","content":"no line feed","id":"my-id"}';
  const { code, stdout, stderr } = await sandbox.run(['connect', 'self'], { input, env });
  assert.equal(code, 0, stderr);
  const messages = values(stdout);
  assert.deepEqual(
    messages.map(({ content }) => content),
    [[1, 'ü', { a: null }], 'no line feed'],
  );
  assert.deepEqual(
    messages.map(({ from, to }) => [from, to]),
    [
      ['self', 'self'],
      ['self', 'self'],
    ],
  );
  assert.equal(messages[1]?.['id'], 'my-id');
  assert.deepEqual(Object.keys(messages[0] ?? {}).sort(), ['content', 'from', 'id', 'stamp', 'stamp_ord', 'to']);
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('bad lines are reported and lose nothing else', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const bad = [
    'not json',
    '[]',
    '{"to":"self"}',
    '{"content":1}',
    '{"to":"self","content":null}',
    '{"to":"nobody","content":1}',
    '{"to":"../x","content":1}',
    '{"to":"self","broadcast":true,"content":1}',
    '{"to":"_x","content":1}',
    '{"broadcast":1,"content":1}',
  ];
  const input = bad.map((line, n) => `${line}\n{"to":"self","content":${n}}\n`).join('');
  const { code, stdout, stderr } = await sandbox.run(['connect', 'self', '--json'], { input, env });
  assert.equal(code, 1);
  assert.deepEqual(
    values(stdout).map(({ content }) => content),
    bad.map((_, n) => n),
  );
  const lineOf = ({ details }: Record<string, unknown>): number => (details as { line: number }).line;
  const errors = values(stderr).sort((a, b) => lineOf(a) - lineOf(b));
  assert.deepEqual(
    errors.map(lineOf),
    bad.map((_, n) => 2 * n + 1),
  );
  assert.deepEqual(
    errors.map(({ code: each }) => each),
    [
      ...Array<string>(4).fill('IPCM_MALFORMED_MESSAGE'),
      'IPCM_INVALID_CONTENT',
      'IPCM_PEER_UNKNOWN',
      'IPCM_PEER_UNKNOWN',
      'IPCM_MALFORMED_MESSAGE',
      'IPCM_INVALID_NAME',
      'IPCM_MALFORMED_MESSAGE',
    ],
  );
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('broadcast lines keep their place among the others', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  assert.equal((await sandbox.run(['recv', 'mailbox', '--suspend'], { env })).code, 0);
  const input = '{"to":"mailbox","content":1}\n{"broadcast":true,"content":2}\n{"to":"mailbox","content":3}\n';
  assert.equal((await sandbox.run(['connect', 'sender'], { input, env })).code, 0);
  const { stdout } = await sandbox.run(['recv', 'mailbox'], { env });
  assert.deepEqual(
    values(stdout).map(({ content, broadcast }) => [content, broadcast]),
    [
      [1, undefined],
      [2, 1],
      [3, undefined],
    ],
  );
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('Ctrl-C ends a bridge, once: 0 with --listen, 130 without', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  for (const [args, code] of [
    [['--listen'], 0],
    [[], 130],
  ] as const) {
    const bridge = sandbox.start(['connect', 'a', ...args], env);
    bridge.write('{"to":"a","content":"here"}\n');
    await bridge.until('stdout', /here/);
    bridge.kill('SIGINT');
    assert.equal((await bridge.ended).code, code);
  }
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('a bridge whose reader goes away ends quietly', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env } = await sandbox.bus();
  const bridge = sandbox.start(['connect', 'a', '--listen', '--suspend'], env);
  bridge.write('{"to":"a","content":"here"}\n');
  await bridge.until('stdout', /here/);
  bridge.child.stdout?.destroy();
  bridge.write('{"to":"a","content":"kept"}\n');
  const { code, stderr } = await bridge.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  assert.match((await sandbox.run(['recv', 'a'], { env })).stdout, /kept/);
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('a name in use, a bad name and a bad info', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env, info } = await sandbox.bus();
  const bridge = sandbox.start(['connect', 'a', '--listen', info]);
  bridge.write('{"to":"a","content":"here"}\n');
  await bridge.until('stdout', /here/);
  const missing = join(sandbox.directory, 'missing');
  for (const [args, code, message] of [
    [['a'], 1, /IPCM_NAME_TAKEN/],
    [['_a'], 2, /IPCM_INVALID_NAME/],
    [['b', 'not json'], 2, /IPCM_INVALID_INFO/],
    [['b', `["Pigeon","JSON","${missing}"]`], 2, /IPCM_UNKNOWN_PROTOCOL/],
    [['b', `["MessageFiles","JSON","${missing}"]`], 1, /IPCM_STORE_MISSING/],
    [['b', info, '--info', 'other'], 2, /IPCM_USAGE: the bus is given twice/],
  ] as const) {
    const ended = await sandbox.run(['connect', ...args], { env });
    assert.equal(ended.code, code, `${args.join(' ')}: ${JSON.stringify(ended)}`);
    assert.match(ended.stderr, message);
  }
  assert.equal(bridge.child.exitCode, null, 'the bridge has gone on');
  const lost = await sandbox.run(['connect', 'b']);
  assert.equal(lost.code, 2);
  assert.match(lost.stderr, /IPCM_USAGE: which bus\?/);
  bridge.kill('SIGTERM');
  assert.equal((await bridge.ended).code, 0);
  running.end();
  assert.equal((await running.ended).code, 0);
});
