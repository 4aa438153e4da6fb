import assert from 'node:assert/strict';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  formatInfo,
  ipcmConnect,
  ipcmSpawn,
  parseInfo,
  protocolNames,
  resolveProtocol,
  type InfoInput,
  type SpawnOptions,
} from '../../src/index.ts';
import { rejectsWith, throwsWith } from '../../src/testing/assertions.ts';
import { protocol as limited } from '../fixtures/conformance-limited.ts';

const fixture = join(import.meta.dirname, '../fixtures/conformance-limited.ts');

test('a protocol has a bare and a full name', async () => {
  for (const name of protocolNames) {
    const protocol = await resolveProtocol(name);
    assert.equal(protocol.name, name);
    assert.equal(await resolveProtocol(`IPC::Manager::Client::${name}`), protocol);
    assert.equal(protocol.className, `IPC::Manager::Client::${name}`);
  }
});

test('a protocol of your own is a module with a leading +, and travels in the info', async () => {
  const whole = `+${pathToFileURL(fixture).href}`;
  for (const specifier of [whole, `+${fixture}`, `+./${relative(process.cwd(), fixture)}`]) {
    await using bus = await ipcmSpawn({ protocol: specifier });
    assert.equal(bus.protocol.name, 'Limited');
    assert.equal(parseInfo('test', bus.info)[0], whole, 'a process in another directory finds it as well');
    const client = await ipcmConnect('a', bus.info);
    assert.equal(client.protocol, limited);
    await client.disconnect();
  }
});

test('a protocol given as an object is used, and by the info too where its class name can be imported', async () => {
  await using bus = await ipcmSpawn({ protocol: { ...limited, className: '+nowhere-to-be-found' } });
  await rejectsWith(ipcmConnect('a', bus.info), 'IPCM_UNKNOWN_PROTOCOL');
  const client = await ipcmConnect('a', bus.info, { protocol: limited });
  await client.disconnect();
});

const unknownProtocols: readonly unknown[] = [
  'Nonsense',
  '',
  'messagefiles',
  'IPC::Manager::Client::FromTheFuture',
  'PostgreSQL2',
  '+./no-such-file.js',
  '+no-such-package',
  '+',
  '+node:fs',
  {},
  42,
];

for (const protocol of unknownProtocols) {
  test(`${JSON.stringify(protocol)} is no protocol`, async () => {
    await rejectsWith(ipcmSpawn({ protocol } as SpawnOptions), 'IPCM_UNKNOWN_PROTOCOL');
  });
}

test('the error for an unknown protocol names those that are known', async () => {
  const error = await rejectsWith(ipcmSpawn({ protocol: 'Nonsense' }), 'IPCM_UNKNOWN_PROTOCOL');
  assert.match(error.message, /"Nonsense"/);
  for (const name of protocolNames) assert.match(error.message, new RegExp(name));
});

test('unknown serializers are refused by spawn and by connect', async () => {
  for (const serializer of ['Nonsense', 'IPC::Manager::Serializer::Sereal', '+no-such-package'] as const) {
    await rejectsWith(ipcmSpawn({ protocol: 'LocalMemory', serializer }), 'IPCM_UNKNOWN_SERIALIZER');
    await rejectsWith(ipcmConnect('a', ['LocalMemory', serializer, 'route']), 'IPCM_UNKNOWN_SERIALIZER');
  }
});

test('signals are named with or without SIG; others are refused', async () => {
  for (const signal of ['TERM', 'SIGTERM']) {
    await using bus = await ipcmSpawn({ protocol: 'LocalMemory', signal });
    assert.equal(bus.signal, 'SIGTERM');
  }
  for (const signal of ['NOPE', 'sigterm', '', '15', 'constructor']) {
    await rejectsWith(ipcmSpawn({ protocol: 'LocalMemory', signal }), 'IPCM_INVALID_OPTION');
  }
});

const badInfos: Readonly<Record<string, unknown>> = {
  'no JSON': 'MessageFiles',
  'cut off': '["MessageFiles","JSON"',
  empty: '',
  undefined: undefined,
  null: null,
  'an object': '{"protocol":"MessageFiles"}',
  'a plain object': {},
  'a number': '42',
  'an array of two': ['MessageFiles', 'JSON'],
  'an array of four': ['MessageFiles', 'JSON', '/tmp/x', 'more'],
  'an empty array': [],
  'without protocol': ['', 'JSON', '/tmp/x'],
  'with a number for the protocol': [1, 'JSON', '/tmp/x'],
  'without route': ['MessageFiles', 'JSON', ''],
  'with null for the route': ['MessageFiles', 'JSON', null],
  'without serializer': ['MessageFiles', '', '/tmp/x'],
  'with an empty list for the serializer': ['MessageFiles', [], '/tmp/x'],
};

for (const [what, info] of Object.entries(badInfos)) {
  test(`connection info: ${what} is refused, with the remedy`, async () => {
    const error = await rejectsWith(ipcmConnect('a', info as InfoInput), 'IPCM_INVALID_INFO');
    assert.match(error.message, /spawn\.info|ipcm spawn/);
    throwsWith(() => parseInfo('test', info), 'IPCM_INVALID_INFO');
  });
}

test('connection info of a newer version is told from nonsense', async () => {
  const info = JSON.stringify(['IPC::Manager::Client::FromTheFuture', 'JSON', '/tmp/x']);
  const error = await rejectsWith(ipcmConnect('a', info), 'IPCM_UNKNOWN_PROTOCOL');
  assert.match(error.message, /newer version/);
});

test('connection info is ASCII whatever the route, and comes back as it was', () => {
  const info = ['MessageFiles', ['JSON::Zstd', 'level', 3], '/tmp/é 🚀"\\'] as const;
  const text = formatInfo(info);
  assert.match(text, /^[\x20-\x7e]+$/);
  assert.deepEqual(parseInfo('test', text), info);
});
