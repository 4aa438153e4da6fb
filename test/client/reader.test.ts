import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';

test('a backlog does not keep the event loop from turning', async () => {
  await using bus = await ipcmSpawn({ protocol: 'MessageFiles' });
  const sender = await bus.connect('sender');
  const receiver = await bus.connect('receiver');
  const backlog = 5000;
  for (let number = 0; number < backlog; number++) void sender.sendMessage('receiver', number);
  await sender.drain();

  let turns = 0;
  const count = (): void => {
    turns++;
    turn = setImmediate(count);
  };
  let turn = setImmediate(count);
  let read = 0;
  for await (const message of receiver.messages()) {
    assert.equal(message.content, read++);
    if (read === backlog) break;
  }
  clearImmediate(turn);
  // However fast the machine is, it does not read so many files within a few turns of 5 ms.
  assert.ok(turns >= 3, `the event loop turned ${turns} times`);
});
