// Settings in milliseconds may be as long as anybody likes, `Infinity` among them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { ipcmServe, ipcmServiceHandle } from '../../src/service/index.ts';
import { until } from '../../src/testing/until.ts';

for (const forEver of [Infinity, 2 ** 31]) {
  test(`a service with settings of ${forEver} ms waits that long, and not a millisecond`, async () => {
    await using bus = await ipcmSpawn({ protocol: 'LocalMemory' });
    let answer: (() => void) | undefined;
    let intervals = 0;
    const { service, ended } = await ipcmServe('patient', bus, {
      interval: forEver,
      drainTimeout: forEver,
      onInterval: () => void intervals++,
      handleRequest: () => new Promise<string>((resolve) => (answer = () => resolve('late'))),
    });
    await using handle = await ipcmServiceHandle('patient', bus);
    const pending = handle.request('anything');
    await until('it is in hand', () => answer !== undefined);
    service.end();
    // Longer than what Node makes of a timer that is too long for it.
    await new Promise((resolve) => setTimeout(resolve, 20));
    answer?.();
    assert.equal(await pending, 'late');
    await ended;
    assert.equal(intervals, 0);
  });
}
