/** Death is noticed, and nothing else is taken for it. */
import assert from 'node:assert/strict';
import { rejectsWith, take, takeContents } from '../assertions.ts';
import { killHard, makeZombie, stop } from '../faults.ts';
import { receiptOf, upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of what becomes of peers that die, stop or are busy; all need processes. */
export function livenessTests(suite: Suite): void {
  const { largestMessage } = suite.subject.capabilities;

  suite.crossProcess('after kill -9 of a receiver the next send fails at once, and it is not listed', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'victim');
    for (const n of upTo(3)) await a.sendMessage('victim', n);
    await killHard(child);
    const begin = performance.now();
    const error = await rejectsWith(a.sendMessage('victim', 'late'), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
    assert.ok(performance.now() - begin < 1000);
    assert.equal(error.peer, 'victim');
    assert.deepEqual(await a.peers(), []);
    assert.deepEqual([await a.peerExists('victim'), await a.peerActive('victim')], [false, false]);
    await rejectsWith(a.sendMessage('victim', 'later'), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
  });

  suite.crossProcess('whoever waits for a peer to go learns of its death within a second', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'victim');
    const waiting = a.waitForPeersGone('victim', { timeout: 10_000 });
    await killHard(child);
    const begin = performance.now();
    await waiting;
    assert.ok(performance.now() - begin < 1000);
  });

  suite.crossProcess('what a dead client left is reaped once, and reported with its losses', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'victim');
    for (const n of upTo(3)) await a.sendMessage('victim', n);
    await killHard(child);
    const events: string[] = [];
    a.on('reaped', ({ name }) => events.push(name));
    const reaped = await a.reap();
    assert.deepEqual(
      reaped.map(({ name, pid }) => [name, pid]),
      [['victim', child.pid]],
    );
    if (suite.subject.capabilities.survivesReader) assert.equal(reaped[0]?.lost, 3);
    assert.deepEqual(events, ['victim']);
    assert.deepEqual(await a.reap(), [], 'and once only');
  });

  suite.crossProcess('a client that reads is not disturbed by the death of one that sends to it', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'sender');
    // Some 20 MB in all: a message refused at the limit of the outbox would be a gap of another kind.
    const sizes = [10, 20_000, 200, 60_000].map((size) => Math.min(size, largestMessage - 1000));
    child.call('sendNumbered', { to: 'a', count: 1000, sizes }).catch(() => undefined);
    const messages = await take(a, 20);
    await killHard(child);
    for (;;) {
      const more = await a.getMessages({ timeout: 100 });
      if (more.length === 0) break;
      messages.push(...more);
    }
    const numbers = messages.map(({ from, content }) => receiptOf(from, content).n);
    assert.deepEqual(numbers, upTo(numbers.length), 'whole messages only, in order, up to where it was cut off');
    const other = await scene.connect(bus, 'other');
    await other.sendMessage('a', 'goes on');
    assert.deepEqual(await takeContents(a, 1), ['goes on']);
  });

  suite.crossProcess('a process stopped by a signal is alive, and gets its messages when it goes on', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'stopped');
    const goOn = await stop(child);
    await a.sendMessage('stopped', 'take your time');
    assert.deepEqual(await a.reap(), []);
    assert.deepEqual([await a.peerActive('stopped'), await a.peerPid('stopped')], [true, child.pid]);
    await rejectsWith(scene.connect(bus, 'stopped'), 'IPCM_NAME_TAKEN');
    await rejectsWith(a.waitForPeersGone('stopped', { timeout: 150 }), 'IPCM_TIMEOUT');
    goOn();
    assert.equal((await child.call('receive', { count: 1 }))[0]?.content, 'take your time');
  });

  suite.crossProcess('a process whose event loop is busy is alive', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'busy');
    const blocked = child.call('block', { milliseconds: 700 });
    await child.event('blocking');
    await a.sendMessage('busy', 'when you can');
    await rejectsWith(a.waitForPeersGone('busy', { timeout: 200 }), 'IPCM_TIMEOUT');
    assert.deepEqual(await a.reap(), []);
    assert.deepEqual(await a.peers(), ['busy']);
    await blocked;
    assert.equal((await child.call('receive', { count: 1 }))[0]?.content, 'when you can');
  });

  suite.crossProcess('a zombie is dead', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    const child = await scene.childClient(bus, 'zombie', { shell: true });
    assert.equal(await a.peerPid('zombie'), child.pid);
    const collect = await makeZombie(child);
    assert.equal(await a.peerActive('zombie'), false);
    assert.deepEqual(await a.peers(), []);
    await rejectsWith(a.sendMessage('zombie', 'x'), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
    await a.waitForPeersGone('zombie', { timeout: 1000 });
    await scene.connect(bus, 'zombie');
    await collect();
  });

  const sizes = [1024, 64 * 1024, 1024 * 1024].filter((size) => size + 1000 < largestMessage);
  for (const size of sizes) {
    suite.crossProcess(`process.exit right after an awaited send of ${size / 1024} KiB: it arrives`, async (scene) => {
      const bus = await scene.bus({ serializer: 'JSON' });
      const a = await scene.connect(bus, 'a');
      const rounds = upTo(20);
      const round = async (n: number): Promise<void> => {
        const child = await scene.childClient(bus, `exits-${n}`);
        await child.last('sendAndExit', { to: 'a', count: 1, sizes: [size] });
      };
      const arrived = take(a, rounds.length);
      await Promise.all(
        [0, 1].map(async (part) => {
          for (const n of rounds) if (n % 2 === part) await round(n);
        }),
      );
      const receipts = (await arrived).map(({ from, content }) => receiptOf(from, content));
      assert.deepEqual(
        receipts.map(({ bytes }) => bytes),
        rounds.map(() => size),
      );
      assert.equal(new Set(receipts.map(({ from }) => from)).size, rounds.length);
    });
  }
}
