import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, type OutboxPort } from '../../src/client/outbox.ts';
import { WrittenPacket } from '../../src/client/packet.ts';
import { slabFor } from '../../src/client/slab.ts';
import { IpcError } from '../../src/errors.ts';
import type { Delivery, Outgoing } from '../../src/protocol/protocol.ts';
import { serializer } from '../../src/serializers/json.ts';

const json = serializer.create({});

/** A message in the current slab. */
function packet(text: string): WrittenPacket {
  const slab = slabFor(text.length);
  const at = slab.place(text.length) ?? assert.fail('a slab without room');
  slab.buffer.write(text, at, 'latin1');
  slab.keep(at + text.length);
  return new WrittenPacket(json, slab.buffer, at, text.length, slab);
}

const textOf = (outgoing: Outgoing): string => Buffer.from(outgoing.bytes).toString();

/** An outbox whose protocol takes as many as it is told, and says what it was offered. */
function outboxThatTakes(...counts: (number | IpcError)[]): { outbox: Outbox; offers: string[][]; sent: () => number } {
  const offers: string[][] = [];
  let total = 0;
  const port: OutboxPort = {
    client: 'me',
    limit: Infinity,
    eager: true,
    deliver(_peer, batch): Delivery {
      offers.push(batch.map(textOf));
      const next = counts.shift() ?? batch.length;
      if (typeof next !== 'number') return { taken: 0, error: next };
      return next < batch.length ? { taken: next, blocked: Promise.resolve() } : { taken: batch.length };
    },
    sent: (_peer, messages) => (total += messages),
    idle: () => undefined,
  };
  return { outbox: new Outbox('you', port), offers, sent: () => total };
}

// First, since a message that fails keeps the memory that it is in.
test('memory is written over when all that is in it was taken, and not before', async () => {
  const { outbox } = outboxThatTakes();
  await outbox.send(packet('first'));
  const second = packet('second');
  assert.equal(second.at, 0);
  const third = packet('third');
  assert.equal(textOf(second), 'second');
  await Promise.all([outbox.send(second), outbox.send(third)]);
  assert.equal(packet('fourth').at, 0);
});

test('each message settles by itself: sent, failed, sent', async () => {
  const reason = new IpcError('IPCM_PEER_GONE', 'gone');
  const { outbox, offers, sent } = outboxThatTakes(1, 1, reason);
  const results = await Promise.allSettled(['a', 'b', 'c', 'd'].map((text) => outbox.send(packet(text))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(offers, [['a'], ['b', 'c', 'd'], ['c', 'd'], ['d']]);
  assert.equal(sent(), 3);
  assert.equal(outbox.length, 0);
  assert.equal(outbox.bytes, 0);
});

test('much is handed over before the tick ends, in order, and the rest at its end', async () => {
  const { outbox, offers } = outboxThatTakes();
  const large = 'x'.repeat(40 * 1024);
  const sends = [outbox.send(packet('a'))];
  for (const text of ['b', large, large, 'c', 'd']) sends.push(outbox.send(packet(text)));
  const lengths = (): number[][] => offers.map((offer) => offer.map(({ length }) => length));
  assert.deepEqual(lengths(), [[1], [1, large.length, large.length]]);
  await Promise.all(sends);
  assert.deepEqual(lengths().slice(2), [[1, 1]]);
  await outbox.send(packet('e'));
  assert.deepEqual(offers.at(-1), ['e']);
});

test('of many small ones some are handed over before the tick ends, more each time', async () => {
  const { outbox, offers } = outboxThatTakes();
  await Promise.all(Array.from({ length: 64 }, (_, n) => outbox.send(packet(String(n)))));
  assert.deepEqual(
    offers.map(({ length }) => length),
    [1, 8, 16, 32, 7],
  );
  assert.deepEqual(offers.flat(), [...Array(64).keys()].map(String));
  await Promise.all(Array.from({ length: 9 }, (_, n) => outbox.send(packet(String(n)))));
  assert.deepEqual(
    offers.slice(5).map(({ length }) => length),
    [1, 8],
  );
});

test('somebody who waits for a packet already is told of its outcome, and nobody else', async () => {
  const told: unknown[] = [];
  const posted = (text: string): WrittenPacket => {
    const made = packet(text);
    made.resolve = () => told.push(text);
    made.reject = (error) => told.push([text, (error as IpcError).code]);
    return made;
  };
  const { outbox } = outboxThatTakes(1, new IpcError('IPCM_PEER_GONE', 'gone'), 1);
  const sends = ['at once', 'fails', 'queued'].map((text) => outbox.send(posted(text)));
  assert.deepEqual(told, ['at once']);
  await Promise.all(sends);
  await outbox.send(packet('behind'));
  assert.deepEqual(told, ['at once', ['fails', 'IPCM_PEER_GONE'], 'queued']);
  outbox.close(new IpcError('IPCM_UNDELIVERED', 'closed'));
  await outbox.send(posted('late'));
  assert.deepEqual(told.at(-1), ['late', 'IPCM_UNDELIVERED']);
});

test('a tick without end hands over so much, and then waits', async () => {
  const { outbox } = outboxThatTakes();
  const text = 'x'.repeat(40 * 1024);
  const sends = Array.from({ length: 100 }, () => outbox.send(packet(text)));
  assert.ok(outbox.bytes > text.length * 50);
  await Promise.all(sends);
  assert.equal(outbox.bytes, 0);
});

test('a protocol that takes few is offered few', async () => {
  const { outbox, offers } = outboxThatTakes(1, ...Array.from({ length: 20 }, () => 11));
  await Promise.all(Array.from({ length: 2000 }, (_, n) => outbox.send(packet(String(n)))));
  assert.ok(offers.slice(2, 15).every((offer) => offer.length <= 32));
  assert.equal(offers.at(-1)?.at(-1), '1999');
});

test('the memory of a message that was given up is not used again', async () => {
  const { outbox } = outboxThatTakes(0);
  const given = packet('kept');
  const sending = outbox.send(given);
  outbox.close(new IpcError('IPCM_UNDELIVERED', 'closed'));
  await assert.rejects(sending, { code: 'IPCM_UNDELIVERED' });
  for (let n = 0; n < 3000; n++) {
    const { outbox: other } = outboxThatTakes();
    await other.send(packet('x'.repeat(200)));
  }
  assert.equal(textOf(given), 'kept');
});

test('one that is to settle offers nothing more, and knows what became of what is on its way', async () => {
  const offers: ((delivery: Delivery) => void)[] = [];
  const port: OutboxPort = {
    client: 'me',
    limit: Infinity,
    eager: true,
    deliver: () => new Promise((resolve) => offers.push(resolve)),
    sent: () => undefined,
    idle: () => undefined,
  };
  const outbox = new Outbox('you', port);
  const first = outbox.send(packet('first'));
  const second = assert.rejects(outbox.send(packet('second')), { code: 'IPCM_UNDELIVERED' });
  const settled = outbox.settle();
  offers[0]?.({ taken: 1 });
  await settled;
  await first;
  assert.deepEqual([offers.length, outbox.length], [1, 1]);
  outbox.close(new IpcError('IPCM_UNDELIVERED', 'the time is over'));
  await second;
});
