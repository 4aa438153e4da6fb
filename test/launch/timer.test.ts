import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Timer, within } from '../../src/launch/timer.ts';

const longest = 2 ** 31 - 1;

test('a timer runs out when it should, however long it is', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const over: string[] = [];
  for (const [name, milliseconds] of Object.entries({ short: 10, long: longest + 10, never: Infinity, now: -1 })) {
    new Timer(() => over.push(name), milliseconds);
  }
  new Timer(() => over.push('cleared'), longest + 10).clear();
  mock.timers.tick(9);
  assert.deepEqual(over, ['now']);
  mock.timers.tick(1);
  assert.deepEqual(over, ['now', 'short']);
  mock.timers.tick(longest - 10);
  assert.deepEqual(over, ['now', 'short']);
  mock.timers.tick(10);
  assert.deepEqual(over, ['now', 'short', 'long']);
  mock.timers.tick(longest);
  mock.timers.tick(longest);
  assert.deepEqual(over, ['now', 'short', 'long']);
});

test('a wait ends with what it waits for, or when its time is over', async () => {
  assert.equal(await within(Infinity, Promise.resolve()), true);
  assert.equal(await within(1, new Promise(() => undefined)), false);
  await assert.rejects(within(Infinity, Promise.reject(new RangeError('no'))), RangeError);
});
