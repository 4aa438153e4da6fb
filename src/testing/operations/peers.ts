/** Who is there. */
import assert from 'node:assert/strict';
import { monotonic } from '../../liveness/monotonic.ts';
import { rejectsWith } from '../assertions.ts';
import type { Suite } from '../suite.ts';

/** Tests of `peers`, `peerExists`, `peerActive`, `peerPid`, `waitForPeers` and `waitForPeersGone`. */
export function peersTests(suite: Suite): void {
  suite.test('peers are all the others, sorted', async (scene) => {
    const bus = await scene.bus();
    const [b, c, a] = await scene.clients(bus, 'b', 'c', 'a');
    assert.deepEqual(await a.peers(), ['b', 'c']);
    assert.deepEqual(await b.peers(), ['a', 'c']);
    await c.disconnect();
    assert.deepEqual(await a.peers(), ['b']);
  });

  suite.test('a connected peer exists, is active and has a pid; an unknown one has nothing', async (scene) => {
    const bus = await scene.bus();
    const [a] = await scene.clients(bus, 'a', 'b');
    assert.deepEqual(
      [await a.peerExists('b'), await a.peerActive('b'), await a.peerPid('b')],
      [true, true, process.pid],
    );
    assert.deepEqual(
      [await a.peerExists('x'), await a.peerActive('x'), await a.peerPid('x')],
      [false, false, undefined],
    );
    assert.equal(await a.peerActive('a'), true, 'so is the client itself');
  });

  suite.test('a client that answers requests is shown as one, and only while it says so', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const asked = await scene.connect(bus, 'asked', { service: true });
    const shown = async (): Promise<unknown[]> => [(await a.peer('a'))?.service, (await a.peer('asked'))?.service];
    assert.deepEqual(await shown(), [undefined, true]);
    await asked.disconnect();
    await scene.connect(bus, 'asked');
    assert.deepEqual(await shown(), [undefined, undefined]);
  });

  suite.test('a peer is shown with the time since when its inbox is', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const times = [monotonic()];
    for (let n = 0; n < 2; n++) {
      const b = await scene.connect(bus, 'b');
      times.push((await a.peer('b'))?.since ?? NaN, monotonic());
      await b.disconnect();
    }
    assert.deepEqual(
      times,
      times.toSorted((x, y) => x - y),
    );
    if (!suite.subject.capabilities.suspend) return;
    const sleeper = await scene.connect(bus, 'b');
    await sleeper.suspend();
    await scene.reconnect(bus, 'b');
    assert.equal((await a.peer('b'))?.since, undefined, 'one that came back goes on with what it had');
  });

  suite.test('peerActive with a timeout waits for one to come up', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const waiting = a.peerActive('b', { timeout: 10_000 });
    await scene.connect(bus, 'b');
    assert.equal(await waiting, true);
    assert.equal(await a.peerActive('c', { timeout: 30 }), false);
    await assert.rejects(a.peerActive('c', { signal: AbortSignal.abort(new Error('no more')) }), /no more/);
  });

  suite.test('waitForPeers resolves when all are there', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    let there = false;
    const waiting = a.waitForPeers(['b', 'c'], { timeout: 10_000 }).then(() => (there = true));
    await scene.connect(bus, 'b');
    await new Promise(setImmediate);
    assert.equal(there, false, 'one is missing still');
    await scene.connect(bus, 'c');
    await waiting;
    await a.waitForPeers('b');
    await a.waitForPeers([]);
  });

  suite.test('waitForPeers names who is missing at its timeout', async (scene) => {
    const bus = await scene.bus();
    const [a] = await scene.clients(bus, 'a', 'b');
    const error = await rejectsWith(a.waitForPeers(['b', 'missing'], { timeout: 30 }), 'IPCM_TIMEOUT');
    assert.match(error.message, /"missing"/);
    assert.deepEqual(error.details, { peers: ['missing'] });
    const abort = new AbortController();
    const waiting = a.waitForPeers('missing', { signal: abort.signal });
    abort.abort(new Error('given up'));
    await assert.rejects(waiting, /given up/);
  });

  suite.test('waitForPeersGone resolves when none is there any more', async (scene) => {
    const bus = await scene.bus();
    const [a, b, c] = await scene.clients(bus, 'a', 'b', 'c');
    const waiting = a.waitForPeersGone(['b', 'c', 'never-was'], { timeout: 10_000 });
    await b.disconnect();
    await rejectsWith(a.waitForPeersGone('c', { timeout: 30 }), 'IPCM_TIMEOUT');
    await c.disconnect();
    await waiting;
  });

  suite.test('whoever waits for a peer learns that the client itself has left', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    const waiting = rejectsWith(a.waitForPeers('b'), 'IPCM_NOT_CONNECTED');
    await a.disconnect();
    await waiting;
  });

  suite.crossProcess('clients of other processes are seen with their pids, from everywhere', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const waiting = a.waitForPeers(['one', 'two'], { timeout: 10_000 });
    const one = await scene.childClient(bus, 'one');
    const two = await scene.childClient(bus, 'two');
    await waiting;
    assert.deepEqual(await a.peers(), ['one', 'two']);
    assert.deepEqual([await a.peerPid('one'), await a.peerPid('two')], [one.pid, two.pid]);
    assert.deepEqual(await two.call('peers', {}), ['a', 'one']);
    const gone = a.waitForPeersGone('two', { timeout: 10_000 });
    await two.call('disconnect', {});
    await gone;
    assert.deepEqual(await one.call('peers', {}), ['a']);
  });
}
