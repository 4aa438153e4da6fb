/** Sending to everybody. */
import assert from 'node:assert/strict';
import { Message } from '../../message/message.ts';
import { hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import type { Suite } from '../suite.ts';

/** Tests of `broadcast`. */
export function broadcastTests(suite: Suite): void {
  suite.test('reaches all but the sender, each with a copy of its own', async (scene) => {
    const bus = await scene.bus();
    const [a, b, c] = await scene.clients(bus, 'a', 'b', 'c');
    const outcome = await a.broadcast({ hello: 'all' });
    assert.deepEqual(
      outcome,
      new Map([
        ['b', { sent: true }],
        ['c', { sent: true }],
      ]),
    );
    const [toB] = await take(b, 1);
    const [toC] = await take(c, 1);
    assert.ok(toB?.broadcast === true && toC?.broadcast === true);
    assert.notEqual(toB.id, toC.id);
    assert.deepEqual([toB.to, toC.to], ['b', 'c']);
    for (const client of [a, b, c]) await hasNothing(client);
  });

  suite.test('takes a message, and a message with other fields', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const message = new Message({ content: 'one', to: 'ignored' });
    await a.broadcast(message);
    await a.broadcast(message, { content: 'two' });
    assert.deepEqual(await takeContents(b, 2), ['one', 'two']);
  });

  suite.test('to nobody is an empty outcome', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    assert.deepEqual(await a.broadcast('anybody?'), new Map());
  });

  suite.test('content that cannot be sent is refused before anybody gets it', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await rejectsWith(a.broadcast(undefined), 'IPCM_INVALID_CONTENT');
    await rejectsWith(a.broadcast({ n: 1n }), 'IPCM_INVALID_CONTENT');
    await hasNothing(b);
  });

  suite.test('keeps its place among the sends before and after it, as far as they were awaited', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 1);
    await a.broadcast(2);
    await a.sendMessage('b', 3);
    assert.deepEqual(await takeContents(b, 3), [1, 2, 3]);
  });

  if (suite.subject.capabilities.suspend) {
    suite.test('reaches a suspended peer when it comes back', async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      await b.suspend();
      assert.deepEqual(await a.broadcast('while you were away'), new Map([['b', { sent: true }]]));
      assert.deepEqual(await takeContents(await scene.reconnect(bus, 'b'), 1), ['while you were away']);
    });
  }

  suite.crossProcess('a dead peer among many does not keep it from the others', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const victim = await scene.childClient(bus, 'victim');
    const child = await scene.childClient(bus, 'child');
    await killHard(victim);
    const outcome = await a.broadcast('who is left?');
    assert.deepEqual(outcome.get('b'), { sent: true });
    assert.deepEqual(outcome.get('child'), { sent: true });
    assert.notDeepEqual(outcome.get('victim'), { sent: true });
    assert.deepEqual(await takeContents(b, 1), ['who is left?']);
    const expected = [{ from: 'a', broadcast: true, content: 'who is left?' }];
    assert.deepEqual(await child.call('receive', { count: 1 }), expected);
  });
}
