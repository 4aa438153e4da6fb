/** Going away for a while. */
import assert from 'node:assert/strict';
import { hasNothing, rejectsWith, take, takeContents } from '../assertions.ts';
import { killHard } from '../faults.ts';
import { upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';
import { until } from '../until.ts';

/** Tests of `suspend` and `ipcmReconnect`; what an absent capability does is in capabilities.ts. */
export function suspendTests(suite: Suite): void {
  if (!suite.subject.capabilities.suspend) return;

  suite.test('what was sent before and during a suspension arrives after it, in order', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(3)) await a.sendMessage('b', n);
    assert.deepEqual(await takeContents(b, 1).then(([content]) => content), 0);
    await b.suspend();
    assert.deepEqual([b.state, b.disconnected], ['suspended', true]);
    for (const n of [3, 4]) await a.sendMessage('b', n);
    const back = await scene.reconnect(bus, 'b');
    await a.sendMessage('b', 5);
    assert.deepEqual(await takeContents(back, 5), [1, 2, 3, 4, 5]);
    await hasNothing(back);
  });

  suite.test('what a loop had read ahead arrives too', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    for (const n of upTo(50)) await a.sendMessage('b', n);
    for await (const { content } of b.messages()) if (content === 9) break;
    await b.suspend();
    await a.sendMessage('b', 50);
    assert.deepEqual(await takeContents(await scene.reconnect(bus, 'b'), 41), upTo(51).slice(10));
  });

  suite.test('a suspended peer exists and is listed, is not active and has no pid', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await b.suspend();
    assert.deepEqual(await a.peers(), ['b']);
    assert.deepEqual(
      [await a.peerExists('b'), await a.peerActive('b'), await a.peerPid('b')],
      [true, false, undefined],
    );
    await a.waitForPeersGone('b', { timeout: 5000 });
  });

  suite.test('its name is kept: connect is refused, reconnect is not', async (scene) => {
    const bus = await scene.bus();
    const b = await scene.connect(bus, 'b');
    await b.suspend();
    await rejectsWith(scene.connect(bus, 'b'), 'IPCM_NAME_TAKEN');
    const back = await scene.reconnect(bus, 'b');
    await rejectsWith(scene.reconnect(bus, 'b'), 'IPCM_NAME_TAKEN');
    assert.equal(back.state, 'connected');
  });

  suite.test('there is no coming back to where nobody was', async (scene) => {
    const bus = await scene.bus();
    await rejectsWith(scene.reconnect(bus, 'nobody'), 'IPCM_NO_SUCH_CLIENT');
    const a = await scene.connect(bus, 'a');
    await a.disconnect();
    await rejectsWith(scene.reconnect(bus, 'a'), 'IPCM_NO_SUCH_CLIENT');
  });

  suite.test('counts go on where they were', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 1);
    await b.sendMessage('a', 2);
    await take(b, 1);
    await b.suspend();
    await a.sendMessage('b', 3);
    const back = await scene.reconnect(bus, 'b');
    await take(back, 1);
    assert.deepEqual(back.stats, { sent: new Map([['a', 1]]), read: new Map([['a', 2]]) });
    await take(a, 1);
    await a.disconnect();
    await back.disconnect();
    await bus.sanityCheck();
  });

  suite.test('many suspensions in a row keep order and lose nothing', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    let b = await scene.connect(bus, 'b');
    const got: unknown[] = [];
    for (const n of upTo(8)) {
      await a.sendMessage('b', 2 * n);
      await b.suspend();
      await a.sendMessage('b', 2 * n + 1);
      b = await scene.reconnect(bus, 'b');
      got.push(...(await takeContents(b, 1)));
    }
    got.push(...(await takeContents(b, 16 - got.length)));
    assert.deepEqual(got, upTo(16));
  });

  suite.test('a deadline that is kept is no deadline any more', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await b.suspend({ expiresAt: new Date(Date.now() + 60_000) });
    assert.ok(await a.peerExists('b'));
    const back = await scene.reconnect(bus, 'b');
    assert.ok(await a.peerActive('b'));
    await back.suspend();
    assert.ok(await a.peerExists('b'));
  });

  suite.test('who misses the deadline counts as gone, and the name is free', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'never read');
    await b.suspend({ expiresIn: 30 });
    await until('the deadline has passed', async () => !(await a.peerExists('b')), 5000);
    assert.deepEqual(await a.peers(), []);
    // A protocol may believe for a moment what it knew of a peer; not for long.
    await until('sends are refused', async () => !(await a.tryMessage('b', 'late')).sent, 1000);
    await rejectsWith(a.sendMessage('b', 'later'), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
    await rejectsWith(scene.reconnect(bus, 'b'), 'IPCM_NO_SUCH_CLIENT');
    const successor = await scene.connect(bus, 'b');
    await hasNothing(successor);
  });

  suite.test('a deadline that cannot be one is refused, and the client stays', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    await rejectsWith(a.suspend({ expiresIn: Number.NaN }), 'IPCM_INVALID_OPTION');
    await rejectsWith(a.suspend({ expiresAt: new Date(Number.NaN) }), 'IPCM_INVALID_OPTION');
    assert.equal(a.state, 'connected');
    assert.deepEqual(await a.getMessages(), []);
  });

  suite.crossProcess('a client suspends in one process and comes back in another', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const first = await scene.childClient(bus, 'mover');
    await a.sendMessage('mover', 0);
    await first.call('suspend', {});
    await first.last('exit', { code: 0 });
    await a.sendMessage('mover', 1);
    const second = await scene.child();
    await scene.connectChild(second, bus, 'mover', 'reconnect');
    await a.sendMessage('mover', 2);
    const got = await second.call('receive', { count: 3 });
    assert.deepEqual(
      got.map(({ content }) => content),
      [0, 1, 2],
    );
    assert.equal(await a.peerPid('mover'), second.pid);
  });

  suite.crossProcess('a suspended client outlives its process, however that ends', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'away');
    await child.call('suspend', {});
    await killHard(child);
    await a.reap();
    await a.sendMessage('away', 'kept');
    assert.deepEqual(await takeContents(await scene.reconnect(bus, 'away'), 1), ['kept']);
  });
}
