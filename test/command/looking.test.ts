import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protocolNames } from '../../src/index.ts';
import { Sandbox, values } from './run.ts';

const commands = [
  'spawn',
  'connect',
  'send',
  'recv',
  'broadcast',
  'serve',
  'request',
  'services',
  'peers',
  'stats',
  'destroy',
  'reap',
  'doctor',
  'demo',
];

test('every command has help with examples', async (t) => {
  const sandbox = new Sandbox(t);
  for (const command of commands) {
    const { code, stdout, stderr } = await sandbox.run([command, '--help']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, new RegExp(`Usage: ipcm ${command}[^]*Global Options:[^]*Examples:\\n +\\$ `));
  }
});

test('--help, --version, no command and an unknown one', async (t) => {
  const sandbox = new Sandbox(t);
  const help = await sandbox.run(['--help']);
  assert.equal(help.code, 0);
  for (const command of commands) assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
  assert.doesNotMatch(help.stdout, /demo-role/);
  assert.match((await sandbox.run(['--version'])).stdout, /^\d+\.\d+\.\d+\S*\n$/);
  const nothing = await sandbox.run([]);
  assert.deepEqual([nothing.code, nothing.stdout], [2, '']);
  assert.match(nothing.stderr, /^Usage: ipcm/);
  const unknown = await sandbox.run(['fly', '--json']);
  assert.equal(unknown.code, 2);
  assert.equal(values(unknown.stderr)[0]?.['code'], 'IPCM_USAGE');
});

test('peers and stats show a live bus and leave no trace', async (t) => {
  const sandbox = new Sandbox(t);
  const { running, env, info } = await sandbox.bus();
  const empty = await sandbox.run(['peers'], { env });
  assert.deepEqual([empty.code, empty.stdout], [0, '']);
  const hostile = '__proto__';
  assert.equal((await sandbox.run(['recv', hostile, '--suspend'], { env })).code, 2);
  await sandbox.run(['recv', '\u001b[31mred', '--suspend'], { env });
  await sandbox.run(['recv', 'box', '--suspend'], { env });
  const live = sandbox.start(['connect', 'live', '--listen'], env);
  live.write('{"to":"box","content":1}\n{"to":"box","content":2}\n{"to":"live","content":"here"}\n');
  await live.until('stdout', /here/);
  const peers = await sandbox.run(['peers', '--json', info]);
  assert.deepEqual(values(peers.stdout), [
    { name: '\u001b[31mred', state: 'suspended' },
    { name: 'box', state: 'suspended' },
    { name: 'live', state: 'active', pid: live.pid },
  ]);
  const table = await sandbox.run(['peers'], { env: { ...env, FORCE_COLOR: '1' } });
  assert.match(
    table.stdout,
    /^NAME +STATE +PID +UNTIL\n\\u001b\[31mred +suspended\nbox +suspended\nlive +active +\d+\n$/,
  );
  const stats = values((await sandbox.run(['stats', '--json'], { env })).stdout);
  assert.deepEqual(
    stats.map(({ name, state, waiting }) => [name, state, waiting]),
    [
      ['\u001b[31mred', 'suspended', 0],
      ['box', 'suspended', 2],
      ['live', 'active', 0],
    ],
  );
  live.kill('SIGTERM');
  await live.ended;
  await sandbox.run(['recv', 'box'], { env });
  const after = values((await sandbox.run(['stats', '--json'], { env })).stdout);
  assert.deepEqual(
    after.find(({ name }) => name === 'live'),
    {
      name: 'live',
      state: 'gone',
      waiting: 0,
      sent: { box: 2, live: 1 },
      read: { live: 1 },
    },
  );
  assert.match((await sandbox.run(['stats'], { env })).stdout, /^box +gone +0 +0 +2$/m);
  running.end();
  assert.equal((await running.ended).code, 0);
});

test('destroy refuses while somebody is connected', async (t) => {
  const sandbox = new Sandbox(t);
  const info = (await sandbox.run(['spawn', '--keep'])).stdout.trim();
  const live = sandbox.start(['connect', 'live', '--listen', info]);
  live.write('{"to":"live","content":"here"}\n');
  await live.until('stdout', /here/);
  const refused = await sandbox.run(['destroy', info]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^ipcm: IPCM_STORE_IN_USE: "live" \(pid \d+\) still connected/);
  const forced = await sandbox.run(['destroy', '--force', info]);
  assert.equal(forced.code, 0);
  const { code, stderr } = await live.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^ipcm: IPCM_STORE_MISSING: /);
});

test('--route and --protocol name a bus without its info', async (t) => {
  const sandbox = new Sandbox(t);
  const route = `${sandbox.directory}/bus`;
  await sandbox.run(['spawn', '--keep', '--route', route, '--serializer', 'JSON']);
  const options = ['--route', route, '--serializer', 'JSON', '--protocol', 'MessageFiles'];
  assert.equal((await sandbox.run(['recv', 'a', '--suspend', ...options])).code, 0);
  assert.match((await sandbox.run(['peers', ...options])).stdout, /^a +suspended/m);
  assert.equal((await sandbox.run(['destroy', ...options])).code, 0);
});

test('doctor finds a way', async (t) => {
  const sandbox = new Sandbox(t);
  const { code, stdout } = await sandbox.run(['doctor', '--json']);
  assert.equal(code, 0);
  const [versions, ...findings] = values(stdout);
  assert.equal(versions?.['node'], process.versions.node);
  const protocols = findings.filter(({ kind }) => kind === 'protocol');
  assert.deepEqual(
    protocols.map(({ name }) => name),
    protocolNames,
  );
  assert.ok(findings.some(({ name, viable }) => name === 'JSON' && viable === true));
  assert.equal(findings.filter(({ isDefault }) => isDefault === true).length, 2);
  assert.match((await sandbox.run(['doctor'])).stdout, /^protocol +AtomicPipe +yes +default; needs /m);
});

test('doctor tells why something is not viable, and fails when nothing is', async (t) => {
  const sandbox = new Sandbox(t);
  const module = `+${import.meta.dirname}/../fixtures/command-unviable.ts`;
  const { code, stdout } = await sandbox.run(['doctor', '--protocol', module]);
  assert.equal(code, 0);
  assert.match(stdout, /^protocol +Unviable +no +there is no pigeon; feed it first$/m);
  const spawned = await sandbox.run(['spawn', '--protocol', module]);
  assert.equal(spawned.code, 1);
  assert.match(spawned.stderr, /^ipcm: IPCM_NOT_VIABLE: .*feed it first/);
});

test('a reader that goes away is no failure', async (t) => {
  const sandbox = new Sandbox(t);
  const running = sandbox.start(['doctor']);
  running.child.stdout?.destroy();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, '']);
});
