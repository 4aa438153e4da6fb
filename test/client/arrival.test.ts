import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Arrival } from '../../src/client/arrival.ts';

const listeners = (...signals: AbortSignal[]): number[] =>
  signals.map((signal) => getEventListeners(signal, 'abort').length);

test('each wait ends by its own signal, and signals are listened to no longer than needed', async () => {
  const arrival = new Arrival(() => () => undefined);
  const [first, second] = [new AbortController(), new AbortController()];
  const [one, other] = [new Error('one'), new Error('other')];
  arrival.listen();
  const waits = [first.signal, second.signal, first.signal, undefined].map((signal) => arrival.wait(Infinity, signal));
  const settled = Promise.allSettled(waits);
  first.abort(one);
  second.abort(other);
  arrival.wake();
  assert.deepEqual(
    (await settled).map((result): unknown => (result.status === 'rejected' ? result.reason : result.value)),
    [one, other, one, true],
  );
  assert.equal(arrival.waiting, 0);
  arrival.close();
  assert.deepEqual(listeners(first.signal, second.signal), [0, 0]);
});

test('waits one after the other by the same signal listen to it once', async () => {
  const arrival = new Arrival(() => () => undefined);
  const [steady, brief] = [new AbortController(), new AbortController()];
  for (let n = 0; n < 10; n++) {
    arrival.looking();
    const wait = arrival.wait(Infinity, steady.signal);
    assert.deepEqual(listeners(steady.signal), [1]);
    const beside = arrival.wait(Infinity, brief.signal);
    arrival.wake();
    assert.deepEqual(await Promise.all([wait, beside]), [true, true]);
    assert.deepEqual(listeners(steady.signal, brief.signal), [1, 0]);
  }
  arrival.looking();
  const last = arrival.wait(Infinity, brief.signal);
  assert.deepEqual(listeners(steady.signal, brief.signal), [0, 1]);
  brief.abort(new Error('enough'));
  await assert.rejects(last, /enough/);
  arrival.close();
  assert.deepEqual(listeners(steady.signal, brief.signal), [0, 0]);
});
