import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import {
  ipcm,
  ipcmConnect,
  ipcmDefaultProtocol,
  ipcmDefaultProtocolList,
  ipcmDefaultSerializer,
  ipcmSpawn,
  isIpcError,
  type Protocol,
} from '../../src/index.ts';
import { protocol as memory } from '../../src/protocols/local-memory/index.ts';

const initial = { protocol: ipcm.defaultProtocol, list: ipcm.defaultProtocolList, serializer: ipcm.defaultSerializer };

afterEach(() => {
  ipcm.defaultProtocol = initial.protocol;
  ipcm.defaultProtocolList = initial.list;
  ipcm.defaultSerializer = undefined;
});

const unviable = (name: string): Protocol => ({ ...memory, name, unviable: () => `${name} needs a better world` });
const hasCode = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(isIpcError(error), String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  return true;
};

test('nothing is set at first, and the list has the protocols between processes, in order', () => {
  assert.equal(ipcmDefaultProtocol(), undefined);
  assert.deepEqual(ipcmDefaultProtocolList(), [
    'AtomicPipe',
    'UnixSocket',
    'ConnectionUnix',
    'SQLite',
    'PostgreSQL',
    'MariaDB',
    'MySQL',
    'MessageFiles',
  ]);
  assert.ok(!ipcmDefaultProtocolList().includes('LocalMemory'), 'what other processes cannot reach is never picked');
});

test('functions and properties set and get the same', () => {
  assert.equal(ipcmDefaultProtocol('LocalMemory'), 'LocalMemory');
  assert.equal(ipcm.defaultProtocol, 'LocalMemory');
  ipcm.defaultProtocol = undefined;
  assert.equal(ipcmDefaultProtocol(), undefined);
  assert.deepEqual(ipcmDefaultProtocolList(['LocalMemory', 'MessageFiles']), ['LocalMemory', 'MessageFiles']);
  assert.deepEqual(ipcm.defaultProtocolList, ['LocalMemory', 'MessageFiles']);
  ipcm.defaultSerializer = 'JSON';
  assert.equal(ipcmDefaultSerializer(), 'JSON');
  assert.deepEqual(ipcmDefaultSerializer('JSON::Zstd', 'level', 9), ['JSON::Zstd', 'level', 9]);
});

test('a list that the caller changes later is not changed', () => {
  const list = ['LocalMemory'];
  ipcmDefaultProtocolList(list);
  list.push('nonsense');
  assert.deepEqual(ipcmDefaultProtocolList(), ['LocalMemory']);
});

test('the default protocol and serializer are used', async () => {
  ipcm.defaultProtocol = 'LocalMemory';
  ipcm.defaultSerializer = 'JSON';
  await using bus = await ipcm.spawn();
  assert.deepEqual([bus.protocol.name, bus.serializer.name], ['LocalMemory', 'JSON']);
});

test('of the default list the first viable one is picked', async () => {
  ipcm.defaultProtocolList = [unviable('First'), 'LocalMemory', 'MessageFiles'];
  await using bus = await ipcmSpawn();
  assert.equal(bus.protocol.name, 'LocalMemory');
});

test('of the protocols given the first viable one is picked, whatever the defaults', async () => {
  ipcm.defaultProtocol = 'MessageFiles';
  await using bus = await ipcmSpawn({ protocols: [unviable('First'), unviable('Second'), memory] });
  assert.equal(bus.protocol, memory);
});

test('when none is viable the error tells each reason', async () => {
  const attempt = ipcmSpawn({ protocols: [unviable('First'), unviable('Second')] });
  await assert.rejects(attempt, hasCode('IPCM_NOT_VIABLE', /First needs.*Second needs/));
  await assert.rejects(ipcmSpawn({ protocols: [] }), hasCode('IPCM_NOT_VIABLE', /empty/));
});

test('a protocol that was named is used or refused, never replaced', async () => {
  await assert.rejects(ipcmSpawn({ protocol: unviable('Only') }), hasCode('IPCM_NOT_VIABLE', /Only needs/));
  const info = ['+nowhere', 'JSON', 'route'] as const;
  const attempt = ipcmConnect('a', info, { protocol: unviable('Only') });
  await assert.rejects(attempt, hasCode('IPCM_NOT_VIABLE', /Only needs/));
});

test('the ipcm object does what the functions do', async () => {
  await using bus = await ipcm.spawn({ protocol: 'LocalMemory' });
  const a = await ipcm.connect('a', bus);
  await a.suspend();
  const back = await ipcm.reconnect('a', bus.info);
  await back.sendMessage('a', 'x');
  assert.equal((await back.getMessages()).length, 1);
  await back.disconnect();
});
