import assert from 'node:assert/strict';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { rejectsWith } from '../../src/testing/assertions.ts';
import { until } from '../../src/testing/until.ts';

test('a send is traced from start to end, with what it failed of', async () => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory', sanityCheck: false });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  const events: string[] = [];
  const note = (event: string) => (message: unknown) => {
    const { client, peer } = message as { client: string; peer: string };
    events.push(`${event} ${client} -> ${peer}`);
  };
  const subscribers = { start: note('start'), asyncEnd: note('end'), error: note('error') };
  const channel = tracingChannel('ipc-manager:send');
  // The types of Node ask for all five events; any of them will do.
  channel.subscribe(subscribers as Parameters<typeof channel.subscribe>[0]);
  try {
    await a.sendMessage('b', 'x');
    await rejectsWith(a.sendMessage('nobody', 'x'), 'IPCM_PEER_UNKNOWN');
  } finally {
    channel.unsubscribe(subscribers as Parameters<typeof channel.subscribe>[0]);
  }
  assert.deepEqual(events, ['start a -> b', 'end a -> b', 'start a -> nobody', 'error a -> nobody', 'end a -> nobody']);
  assert.equal((await b.getMessages()).length, 1);
});

test('a subscriber hears of each message read and of each peer reaped', async () => {
  await using bus = await ipcmSpawn({ protocol: 'LocalMemory', sanityCheck: false });
  const [a, b] = [await bus.connect('a'), await bus.connect('b')];
  const heard: unknown[] = [];
  const onRead = (message: unknown): void => {
    const { client, message: read } = message as { client: string; message: { content: unknown } };
    heard.push([client, read.content]);
  };
  const onReap = (message: unknown): void => {
    const { client, peer, pid, lost } = message as Record<string, unknown>;
    heard.push([client, peer, pid, lost]);
  };
  subscribe('ipc-manager:receive', onRead);
  subscribe('ipc-manager:reap', onReap);
  try {
    await a.sendMessage('b', 'read');
    await b.getMessages();
    await a.sendMessage('b', 'lost');
    await b.suspend({ expiresIn: 1 });
    await until('b is past its deadline', async () => !(await a.peerExists('b')));
    await a.reap();
  } finally {
    unsubscribe('ipc-manager:receive', onRead);
    unsubscribe('ipc-manager:reap', onReap);
  }
  assert.deepEqual(heard, [
    ['b', 'read'],
    ['a', 'b', process.pid, 1],
  ]);
});
