import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isIpcError } from '../../src/errors.ts';
import type { ServiceSettings } from '../../src/service/definition.ts';
import { resolveSettings, settingsOf } from '../../src/service/settings.ts';

describe('settings of a service', () => {
  it('have defaults; what stands later wins, unless it is undefined', () => {
    const defaults = resolveSettings();
    assert.deepEqual(
      [defaults.interval, defaults.concurrency, defaults.drainTimeout, defaults.grace, defaults.interceptErrors],
      [200, 256, 5000, 5000, false],
    );
    const { interval, grace } = resolveSettings({ interval: 1, grace: 2 }, { interval: 3, grace: undefined });
    assert.deepEqual([interval, grace], [3, 2]);
    assert.equal(resolveSettings({ concurrency: Number.POSITIVE_INFINITY }).concurrency, Number.POSITIVE_INFINITY);
  });

  it('are picked from among other options', () => {
    const options = { interval: 1, name: 'x', handleRequest: () => 1, grace: undefined };
    assert.deepEqual(settingsOf(options), { interval: 1 });
  });

  it('that make no sense are refused, by name', () => {
    const wrong: readonly ServiceSettings[] = [
      { interval: 0 },
      { interval: Number.NaN },
      { concurrency: 0.5 },
      { drainTimeout: -1 },
      { grace: '5' as never },
      { watchPids: [1.5] },
      { watchPids: [0] },
    ];
    for (const each of wrong) {
      assert.throws(
        () => resolveSettings(each),
        (error) => isIpcError(error, 'IPCM_INVALID_OPTION') && error.message.includes(Object.keys(each)[0] ?? '-'),
      );
    }
  });
});
