/** What a protocol cannot do, it refuses with the documented code. */
import assert from 'node:assert/strict';
import { childRejectsWith, rejectsWith, takeContents } from '../assertions.ts';
import type { Suite } from '../suite.ts';

/** One test for each capability, present or absent. */
export function capabilityTests(suite: Suite): void {
  const { capabilities, factory } = suite.subject;

  if (capabilities.crossProcess) {
    suite.test('crossProcess: another process connects by the info string', async (scene) => {
      const bus = await scene.bus();
      const client = await scene.connect(bus, 'here');
      const child = await scene.childClient(bus, 'there');
      await child.call('send', { to: 'here', content: 'from another process' });
      assert.deepEqual(await takeContents(client, 1), ['from another process']);
    });
  } else {
    suite.test('no crossProcess: another process finds no store', async (scene, context) => {
      const bus = await scene.bus();
      const child = await scene.child();
      await childRejectsWith(scene.connectChild(child, bus, 'there'), 'IPCM_STORE_MISSING');
      context.diagnostic(`not applicable in one process: ${suite.notRun.join('; ')}`);
    });
  }

  if (!capabilities.suspend) {
    suite.test('no suspend: suspend and reconnect are refused, and the client goes on', async (scene) => {
      const bus = await scene.bus();
      const [a, b] = await scene.clients(bus, 'a', 'b');
      await rejectsWith(a.suspend(), 'IPCM_NOT_SUPPORTED');
      await rejectsWith(scene.reconnect(bus, 'c'), 'IPCM_NOT_SUPPORTED');
      await a.sendMessage('b', 'still here');
      assert.deepEqual(await takeContents(b, 1), ['still here']);
    });
  }

  if (!capabilities.acknowledge) {
    suite.test('no acknowledge: a client that wants to read so is refused', async (scene) => {
      const bus = await scene.bus();
      await rejectsWith(scene.connect(bus, 'a', { ack: true }), 'IPCM_NOT_SUPPORTED');
      assert.deepEqual(await (await scene.connect(bus, 'b')).peers(), []);
    });
  }

  if (factory.injectGarbage === undefined) {
    suite.test(
      'not applicable: the factory has no injectGarbage, so bytes that are no message are not tried',
      async () => {
        assert.ok(!('injectGarbage' in factory) || factory['injectGarbage'] === undefined);
      },
    );
  }
}
