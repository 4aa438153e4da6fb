import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isIpcError } from '../../src/errors.ts';
import { evaluate, explainInline, sourceOf } from '../../src/launch/source.ts';

/** What arrives of a function or an object in another process. */
async function travelled<T extends object>(value: T): Promise<T> {
  return (await evaluate(structuredClone(sourceOf('test', value, undefined)))) as T;
}

function refused(value: object, text: RegExp): void {
  assert.throws(
    () => sourceOf('test', value, undefined),
    (error) => isIpcError(error, 'IPCM_INVALID_OPTION') && text.test(error.message),
  );
}

class Named {
  readonly value = 3;
  get(): number {
    return this.value;
  }
}

describe('a function as text', () => {
  it('may be written in every way', async () => {
    const object = {
      method(a: number) {
        return a + 1;
      },
      async later(a: number) {
        return Promise.resolve(a + 2);
      },
      *several(a: number) {
        yield a;
        yield a + 1;
      },
      async *severalLater(a: number) {
        yield await Promise.resolve(a);
      },
      'with a name of its own'(a: number) {
        return a + 3;
      },
      get: () => 'a method called get',
      async: () => 'one called async',
      arrow: (a: number) => a * 2,
      function(a: number) {
        return a * 3;
      },
      inner: { deep: { down: () => 'here' } },
    };
    const there = await travelled(object);
    assert.deepEqual([there.method(1), await there.later(1), [...there.several(1)]], [2, 3, [1, 2]]);
    for await (const each of there.severalLater(7)) assert.equal(each, 7);
    assert.deepEqual([there['with a name of its own'](1), there.arrow(2), there.function(2)], [4, 4, 6]);
    assert.deepEqual(
      [there.get(), there.async(), there.inner.deep.down()],
      ['a method called get', 'one called async', 'here'],
    );
    for (const [name, each] of Object.entries(object)) {
      if (typeof each === 'function') assert.equal(typeof (await travelled(each)), 'function', name);
    }
  });

  it('may be a class', async () => {
    const There = await travelled(Named);
    assert.equal(new There().get(), 3);
  });

  it('may import what it needs', async () => {
    const join = await travelled(async (a: string) => (await import('node:path')).join(a, 'b'));
    assert.equal(await join('a'), 'a/b');
  });

  it('sees nothing of what was around it, and says so by name', async () => {
    const around = 'here';
    const there = await travelled(() => around);
    assert.throws(there, (error) => {
      const explained = explainInline(error);
      return isIpcError(explained, 'IPCM_NOT_SELF_CONTAINED') && explained.message.includes('"around"');
    });
    assert.equal(explainInline('anything else'), 'anything else');
  });

  it('is refused where there is none', () => {
    refused(Math.max, /without a text of its own/);
    refused((() => 1).bind(undefined), /without a text of its own/);
    refused({ handleRequest: Array.prototype.map }, /handleRequest is a function without a text/);
  });
});

describe('an object as text', () => {
  it('keeps plain values, lists, and names of every kind', async () => {
    const value = {
      n: -1.5,
      s: 'a "quoted"\u2028 line',
      t: true,
      nothing: null,
      list: [1, ['two', { three: 3 }]],
      ['__proto__']: { polluted: true },
      'a-b': 1,
      left: undefined,
    };
    const there = await travelled(value);
    const { left: _, ...kept } = value;
    assert.deepEqual({ ...there }, kept);
    assert.equal(Object.getPrototypeOf(there), Object.prototype);
    assert.ok(Object.hasOwn(there, '__proto__'));
  });

  it('is refused with what would arrive as something else', () => {
    for (const wrong of [1n, Number.NaN, new Date(), new Map(), Symbol('s'), [undefined], new Named()]) {
      refused({ inner: { wrong } }, /"inner\.wrong.*neither a function nor plain JSON/);
    }
    refused(new Named(), /neither a function nor a plain object/);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    refused(cycle, /neither a function nor plain JSON/);
  });
});
