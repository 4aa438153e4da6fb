/** Leaving for good. */
import assert from 'node:assert/strict';
import type { Message } from '../../message/message.ts';
import { rejectsWith, take } from '../assertions.ts';
import { numbered, upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `disconnect`. */
export function disconnectTests(suite: Suite): void {
  suite.test('twice is fine, and both calls mean the same', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    let closed = 0;
    a.on('close', () => closed++);
    await Promise.all([a.disconnect(), a.disconnect()]);
    await a.disconnect();
    assert.deepEqual([a.state, a.disconnected, closed], ['disconnected', true, 1]);
    assert.deepEqual(await b.peers(), []);
  });

  suite.test('leaving the scope of await using disconnects', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a[Symbol.asyncDispose]();
    assert.equal(a.disconnected, true);
    assert.deepEqual(await b.peers(), []);
  });

  suite.test('a handler gets what still waited, in order, and it counts as read', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const all = upTo(Math.min(600, suite.subject.capabilities.capacity));
    for (const n of all) await a.sendMessage('b', n);
    await take(b, 1);
    const unread: Message[] = [];
    await b.disconnect(async (messages) => {
      await new Promise(setImmediate);
      unread.push(...messages);
    });
    assert.deepEqual(
      unread.map(({ content }) => content),
      all.slice(1),
    );
    await a.disconnect();
    await bus.sanityCheck();
  });

  suite.crossProcess('what is sent while its receiver leaves is handed out, or refused', async (scene) => {
    const bus = await scene.bus();
    const sender = await scene.childClient(bus, 'sender');
    for (let round = 0; round < 50; round++) {
      const name = `receiver${round}`;
      const receiver = await scene.connect(bus, name);
      const told = sender.call('sendUntilGone', { to: name });
      let got = (await take(receiver, 20)).length;
      await receiver.disconnect((messages) => void (got += messages.length));
      const { sent, code } = await told;
      assert.match(code, /^IPCM_PEER_(GONE|UNKNOWN)$/);
      assert.equal(got, sent, `in round ${round}`);
    }
  });

  suite.test('without a handler unread messages are an error that counts and names them', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'one', { id: 'id-of-one' });
    await a.sendMessage('b', 'two');
    const error = await rejectsWith(b.disconnect(), 'IPCM_UNREAD_MESSAGES');
    assert.match(error.message, /"b".* 2 .*id-of-one.*"a"/);
    assert.equal((error.details as { total: number }).total, 2);
    assert.equal(b.state, 'disconnected', 'it has left all the same');
    assert.deepEqual(await a.peers(), []);
    await rejectsWith(b.disconnect(), 'IPCM_UNREAD_MESSAGES');
  });

  suite.test('a handler that throws does not keep the client from leaving', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'x');
    const leaving = b.disconnect(() => {
      throw new Error('from the handler');
    });
    await assert.rejects(leaving, /from the handler/);
    assert.equal(b.state, 'disconnected');
    assert.deepEqual(await a.peers(), []);
  });

  suite.test('a terminate message left unread is no error', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', { terminate: 1 });
    await b.disconnect();
    await a.disconnect();
    await bus.sanityCheck();
  });

  suite.test('what was sent before is sent, awaited or not', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const sends = upTo(300).map((n) => a.sendMessage('b', numbered(n, 500)));
    const reading = take(b, 300);
    await a.disconnect();
    await Promise.all(sends);
    assert.deepEqual(
      (await reading).map(({ content }) => (content as { n: number }).n),
      upTo(300),
    );
  });

  suite.test('what finds no room before the deadline is an error that names the receiver', async (scene) => {
    const bus = await scene.bus();
    const isStored = scene.capabilities.capacity === Infinity;
    const a = await scene.connect(bus, 'a', { drainTimeout: isStored ? 10_000 : 100, highWaterMark: 64 * 1024 });
    const slow = await scene.connect(bus, 'slow');
    // A store takes all of it; elsewhere the kernel's buffers and then the outbox fill up.
    let accepted = 0;
    while (accepted < 1000 && a.trySendMessage('slow', numbered(accepted, 2000))) {
      accepted++;
      await new Promise(setImmediate);
    }
    a.on('undelivered', () => undefined);
    const left = a.pendingSends;
    if (isStored || left === 0) await a.disconnect();
    else assert.match((await rejectsWith(a.disconnect(), 'IPCM_UNDELIVERED')).message, new RegExp(`${left}.*"slow"`));
    assert.equal(a.state, 'disconnected');
    await take(slow, isStored ? accepted : accepted - left);
  });

  suite.test('while it leaves it is still there: a shutdown waits until its counts are written', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 'x');
    await b.disconnect(async () => {
      await rejectsWith(a.waitForPeersGone('b', { timeout: 20 }), 'IPCM_TIMEOUT');
      await rejectsWith(scene.connect(bus, 'b'), 'IPCM_NAME_TAKEN');
      await rejectsWith(a.sendMessage('b', 'late'), 'IPCM_PEER_GONE', 'IPCM_PEER_UNKNOWN');
    });
    await a.waitForPeersGone('b', { timeout: 1000 });
  });

  suite.test('nobody is told that it left, and who asks learns it', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await b.disconnect();
    assert.deepEqual(await a.getMessages(), []);
    assert.deepEqual([await a.peerExists('b'), await a.peerActive('b')], [false, false]);
    await rejectsWith(a.sendMessage('b', 'x'), 'IPCM_PEER_UNKNOWN', 'IPCM_PEER_GONE');
  });

  suite.test('after the store has gone it ends as well', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a');
    await bus.unspawn();
    await a.disconnect().catch(() => undefined);
    assert.equal(a.state, 'disconnected');
  });
}
