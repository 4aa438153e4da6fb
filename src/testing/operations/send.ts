/** Sending to one peer. */
import assert from 'node:assert/strict';
import type { Client } from '../../client/client.ts';
import { Message } from '../../message/message.ts';
import { rejectsWith, take, takeContents, takeNumbered, throwsWith } from '../assertions.ts';
import { numbered, receiptOf, upTo } from '../numbered.ts';
import type { Suite } from '../suite.ts';

/** Tests of `sendMessage`, `trySendMessage`, `buildMessage` and the outbox. */
export function sendTests(suite: Suite): void {
  const { capabilities } = suite.subject;

  suite.test('every call form sends', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    await a.sendMessage('b', 1);
    await a.sendMessage('b', 2, { id: 'given-id' });
    await a.sendMessage({ to: 'b', content: 3 });
    await a.sendMessage(new Message({ to: 'b', content: 4, from: 'somebody else' }));
    await a.sendMessage(new Message({ to: 'c', content: 'other' }), { to: 'b', content: 5 });
    const messages = await take(b, 5);
    assert.deepEqual(
      messages.map(({ content }) => content),
      [1, 2, 3, 4, 5],
    );
    assert.equal(messages[1]?.id, 'given-id');
    assert.ok(
      messages.every(({ from }) => from === 'a'),
      'the sender is who sends, whatever the fields say',
    );
    const stamps = messages.map(({ stamp }) => stamp);
    assert.ok(
      stamps.every((stamp, n) => n === 0 || n > 2 || stamp > (stamps[n - 1] ?? 0)),
      'stamps rise',
    );
  });

  suite.test('buildMessage makes what would be sent', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const message = a.buildMessage('b', { x: 1 });
    assert.deepEqual([message.from, message.to, message.content], ['a', 'b', { x: 1 }]);
    await a.sendMessage(message);
    const [got] = await take(b, 1);
    assert.deepEqual([got?.id, got?.stamp, got?.toJSON()], [message.id, message.stamp, message.toJSON()]);
  });

  suite.test('a client can send to itself', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    await a.sendMessage('a', 'note to self');
    assert.deepEqual(await takeContents(a, 1), ['note to self']);
  });

  suite.test('nobody of that name is an error that names it', async (scene) => {
    const a = await scene.connect(await scene.bus(), 'a');
    const error = await rejectsWith(a.sendMessage('nobody', 'x'), 'IPCM_PEER_UNKNOWN');
    assert.deepEqual([error.peer, error.client], ['nobody', 'a']);
    assert.match(error.message, /nobody/);
    assert.deepEqual(a.stats.sent, new Map(), 'what was not sent is not counted');
  });

  suite.test('sends that nobody awaited keep their order and all arrive', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const sizes = [10, 3000, 100, 20_000];
    const sends = upTo(400).map((n) => a.sendMessage('b', numbered(n, sizes[n % 4] ?? 0)));
    const receipts = await takeNumbered(b, 400);
    await Promise.all(sends);
    assert.deepEqual(
      receipts.map(({ n }) => n),
      upTo(400),
    );
    assert.equal(a.havePendingSends(), false);
  });

  suite.test('a failure in the midst of unawaited sends concerns that message alone', async (scene) => {
    const bus = await scene.bus();
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const outcomes = await Promise.allSettled([
      a.sendMessage('b', 1),
      a.sendMessage('nobody', 2),
      a.sendMessage('b', undefined),
      a.sendMessage('b', 4),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await takeContents(b, 2), [1, 4]);
  });

  suite.test('trySendMessage says no above the high-water mark, and drain tells when to go on', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a', { highWaterMark: 8192 });
    const b = await scene.connect(bus, 'b');
    const accepted: number[] = [];
    // All in one turn: the first goes out at once, the rest waits in the outbox until it is over the mark.
    for (const n of upTo(100)) if (a.trySendMessage('b', numbered(n, 1000))) accepted.push(n);
    assert.ok(accepted.length >= 2 && accepted.length < 100, `${accepted.length} were accepted`);
    assert.ok(a.pendingSends > 0);
    const drained = a.drain({ timeout: 10_000 });
    assert.deepEqual(
      (await takeNumbered(b, accepted.length)).map(({ n }) => n),
      accepted,
    );
    await drained;
    assert.equal(a.trySendMessage('b', 'room again'), true);
    assert.deepEqual(await takeContents(b, 1), ['room again']);
  });

  suite.test(
    'trySendMessage throws what is wrong with the message, and reports what goes wrong later',
    async (scene) => {
      const a = await scene.connect(await scene.bus(), 'a');
      throwsWith(() => a.trySendMessage('b', undefined), 'IPCM_INVALID_CONTENT');
      const failed = new Promise<string>((resolve) =>
        a.once('undelivered', ({ code }, { to }) => resolve(`${code} ${to}`)),
      );
      a.trySendMessage('nobody', 'x');
      assert.equal(await failed, 'IPCM_PEER_UNKNOWN nobody');
    },
  );

  suite.test('a flood that nobody awaits is refused at the outbox limit, and what was taken arrives', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a', { outboxLimit: 50_000 });
    const b = await scene.connect(bus, 'b');
    const sends = upTo(200).map((n) => a.sendMessage('b', numbered(n, 1000)));
    const receiving = takeAll(b, Promise.allSettled(sends));
    const outcomes = await Promise.allSettled(sends);
    const taken = upTo(200).filter((n) => outcomes[n]?.status === 'fulfilled');
    assert.ok(taken.length >= 2 && taken.length < 200, `${taken.length} of 200 were taken`);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') await rejectsWith(Promise.reject(outcome.reason as Error), 'IPCM_OUTBOX_FULL');
    }
    assert.deepEqual(await receiving, taken);
    await a.sendMessage('b', 'room again');
    assert.deepEqual(await takeContents(b, 1), ['room again']);
  });

  suite.test('a peer that does not read holds up nobody else and loses nothing', async (scene) => {
    const bus = await scene.bus();
    const a = await scene.connect(bus, 'a', { highWaterMark: 64 * 1024 });
    const [slow, quick] = await scene.clients(bus, 'slow', 'quick');
    let accepted = 0;
    // Where the store takes everything this ends at the count, elsewhere when the kernel's buffers and the outbox are full.
    while (accepted < 1000 && a.trySendMessage('slow', numbered(accepted, 2000))) {
      accepted++;
      await new Promise(setImmediate);
    }
    await a.sendMessage('quick', 'not held up');
    assert.deepEqual(await takeContents(quick, 1), ['not held up']);
    assert.deepEqual(
      (await takeNumbered(slow, accepted)).map(({ n }) => n),
      upTo(accepted),
    );
    await a.drain({ timeout: 10_000 });
  });

  suite.test('messages of each size arrive whole, up to what the protocol carries', async (scene) => {
    const bus = await scene.bus({ serializer: 'JSON' });
    const [a, b] = await scene.clients(bus, 'a', 'b');
    const sizes = [0, 1, 500, 4096, 65_536, 200_000, 1 << 20, 8 << 20].filter(
      (size) => size + 1000 < capabilities.largestMessage,
    );
    const receipts = takeNumbered(b, sizes.length);
    for (const [n, size] of sizes.entries()) await a.sendMessage('b', numbered(n, size));
    assert.deepEqual(
      (await receipts).map(({ bytes }) => bytes),
      sizes,
    );
  });
}

/** Reads numbered messages until a moment has come and nothing is there any more. */
async function takeAll(client: Client, end: Promise<unknown>): Promise<number[]> {
  const numbers: number[] = [];
  let over = false;
  void end.then(() => (over = true));
  for (;;) {
    const last = over;
    const messages = await client.getMessages({ timeout: 50 });
    for (const { from, content } of messages) numbers.push(receiptOf(from, content).n);
    if (last && messages.length === 0) return numbers;
  }
}
