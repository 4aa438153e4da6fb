/** Sending with an outcome instead of an exception. */
import assert from 'node:assert/strict';
import { takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import type { Suite } from '../suite.ts';

/** Tests of `tryMessage`. */
export function tryMessageTests(suite: Suite): void {
  suite.test('sent is true when it was sent, and the message arrives', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    assert.deepEqual(await a.tryMessage('b', { tried: true }), { sent: true });
    assert.deepEqual(await takeContents(b, 1), [{ tried: true }]);
  });

  suite.test('sent is false, with the reason, for whatever sendMessage would reject with', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a', { maxMessageBytes: 1000 });
    await scene.connect(bus, 'b');
    const reasons = [
      await a.tryMessage('nobody', 'x'),
      await a.tryMessage('b', undefined),
      await a.tryMessage(
        'b',
        Array.from({ length: 2000 }, () => Math.random()),
      ),
    ].map((outcome) => (outcome.sent ? 'sent' : outcome.error.code));
    assert.deepEqual(reasons, ['IPCM_PEER_UNKNOWN', 'IPCM_INVALID_CONTENT', 'IPCM_MESSAGE_TOO_LARGE']);
  });

  suite.test('a mistake of the programmer is thrown', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    // @ts-expect-error: no call form begins with a number
    await assert.rejects(a.tryMessage(42), TypeError);
  });

  suite.crossProcess('a peer that has died is a false', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    await killHard(await scene.childClient(bus, 'victim'));
    const outcome = await a.tryMessage('victim', 'x');
    assert.ok(!outcome.sent && ['IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN'].includes(outcome.error.code));
  });
}
