/** The factory itself: before anything is said about a protocol, it must be one, and give a store that works. */
import assert from 'node:assert/strict';
import { parseInfo } from '../../spawn/connection-info.ts';
import type { Suite } from '../suite.ts';

/** Tests of what the author gave to the suite. */
export function factoryTests(suite: Suite): void {
  const { factory, protocol, capabilities } = suite.subject;

  suite.test('the factory names itself and its protocol', async () => {
    assert.notEqual(factory.name, '');
    assert.match(protocol.name, /^\S+$/);
    assert.match(protocol.className, /^(?:IPC::Manager::Client::\w+|\+.+)$/, 'className is what stands in the info');
  });

  suite.test('the capabilities are complete and make sense', async () => {
    for (const key of ['crossProcess', 'suspend', 'acknowledge', 'survivesReader'] as const) {
      assert.equal(typeof capabilities[key], 'boolean', key);
    }
    assert.ok(capabilities.largestMessage >= 32 * 1024, 'a message of 32 KiB is the least that a protocol carries');
    assert.ok(['message', 'content'].includes(capabilities.unit), 'unit');
    assert.ok(['memory', 'inotify', 'descriptor', 'file', 'notify', 'poll'].includes(capabilities.wakeUp), 'wakeUp');
    assert.ok(['arrival', 'name', 'stamp'].includes(capabilities.ordering), 'ordering');
    assert.notEqual(capabilities.needs, '', 'needs says what the protocol needs, or "nothing"');
  });

  suite.test('the protocol is viable here', async () => {
    assert.equal(await protocol.unviable(), undefined);
  });

  suite.test('the factory makes stores, each one a new one', async (scene) => {
    const one = await scene.bus();
    const two = await scene.bus();
    assert.notEqual(one.route, two.route);
    assert.equal(parseInfo('test', one.info)[0], protocol.className);
    assert.ok(await scene.exists(one));
    await one.unspawn();
    assert.equal(await scene.exists(one), false);
    assert.ok(await scene.exists(two), 'removing one store leaves the other');
  });
}
