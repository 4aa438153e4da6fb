import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { isIpcError } from '../../src/errors.ts';
import { errorOf, errorRecord } from '../../src/launch/errors.ts';
import { FrameReader, frameOf } from '../../src/launch/frames.ts';
import { IpcError } from '../../src/errors.ts';

describe('frames', () => {
  it('come out as they went in, however the bytes are split', () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(300), { minLength: 1 }), (values, sizes) => {
        const bytes = Buffer.concat(values.map((each) => frameOf('test', each)));
        const got: unknown[] = [];
        const reader = new FrameReader((each) => got.push(each));
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = 1 + (sizes[n % sizes.length] ?? 0);
          reader.push(bytes.subarray(at, at + size));
          at += size;
        }
        const expected = values.map((each) => structuredClone(each));
        return isDeepStrictEqual(got, expected);
      }),
    );
  });

  it('keep what JSON would lose', () => {
    const shared = { n: 1 };
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const getter = Object.defineProperty({}, 'n', { get: () => 1, enumerable: true });
    const named = Object.assign([1], { name: 'list' });
    const ownProto = JSON.parse('{"__proto__":{"a":1}}') as unknown;
    const dated = { toJSON: 'no function' };
    const lossy: readonly unknown[] = [
      { a: undefined },
      Array(2),
      [-0, NaN, Infinity],
      [shared, shared],
      cycle,
      getter,
      named,
      ownProto,
      dated,
    ];
    for (const value of lossy) {
      let got: unknown;
      new FrameReader((each) => (got = each)).push(frameOf('test', value));
      assert.deepStrictEqual(got, structuredClone(value));
      if (Array.isArray(value) && Array.isArray(got) && value[0] === shared) assert.equal(got[0], got[1]);
    }
  });

  it('are refused when they are none, without taking memory for them', () => {
    const reader = new FrameReader(() => assert.fail('there is no frame'));
    assert.throws(() => reader.push(Buffer.from('ffffffff00', 'hex')), RangeError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          new FrameReader(() => undefined).push(Buffer.from(bytes));
        } catch (error) {
          return error instanceof Error;
        }
        return true;
      }),
    );
  });

  it('refuse what cannot be cloned', () => {
    for (const wrong of [() => 1, { a: Symbol('s') }, new WeakMap()]) {
      assert.throws(
        () => frameOf('ipcmService', wrong),
        (error) => isIpcError(error, 'IPCM_INVALID_OPTION') && error.message.startsWith('ipcmService: params must be'),
      );
    }
  });
});

describe('an error that crosses', () => {
  const crossed = (error: unknown): Error => errorOf(structuredClone(errorRecord(error)));

  it('keeps name, message, stack, code and causes', () => {
    const inner = Object.assign(new TypeError('inner'), { code: 'ENOENT' });
    const there = crossed(new RangeError('outer', { cause: inner }));
    assert.deepEqual([there.name, there.message], ['RangeError', 'outer']);
    assert.match(there.stack ?? '', /frames\.test/);
    const { cause } = there;
    assert.ok(cause instanceof Error && 'code' in cause);
    assert.deepEqual([cause.name, cause.message, cause.code], ['TypeError', 'inner', 'ENOENT']);
  });

  it('stays an error of the bus', () => {
    assert.ok(isIpcError(crossed(new IpcError('IPCM_NAME_TAKEN', 'taken')), 'IPCM_NAME_TAKEN'));
    assert.ok(!isIpcError(crossed(Object.assign(new Error('x'), { name: 'IpcError', code: 'IPCM_NONSENSE' }))));
  });

  it('is one whatever was thrown, and of any size', () => {
    const thrown: readonly unknown[] = [undefined, null, 7, 'text', Symbol('s'), Object.create(null), { a: 1 }, []];
    for (const each of thrown) assert.equal(typeof crossed(each).message, 'string');
    assert.ok(crossed(new Error('x'.repeat(10_000_000))).message.length < 100_000);
    const cycle = new Error('cycle');
    cycle.cause = cycle;
    assert.equal(crossed(cycle).message, 'cycle');
  });
});
