import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkContent } from '../../src/message/content.ts';

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

test('what JSON carries is accepted', () => {
  const bare = Object.assign(Object.create(null) as Record<string, unknown>, { a: 1 });
  const accepted = [
    0,
    -0,
    '',
    false,
    [],
    {},
    [null],
    { a: null },
    { a: undefined },
    new Date(0),
    { at: new Date(0) },
    bare,
    nested(999),
  ];
  for (const content of accepted) checkContent(content);
  class Point {
    x = 1;
  }
  checkContent(new Point());
  checkContent({ toJSON: () => 1, hidden: new Map() });
  checkContent([{ toJSON: () => null }]);
  checkContent({ url: new URL('http://localhost'), text: new String('') });
  class Pair {
    x = 1;
    *[Symbol.iterator](): Generator<number> {
      yield this.x;
    }
  }
  checkContent(new Pair());
  checkContent(JSON.parse('{"__proto__":{"a":1}}'));
});

test('what JSON would lose is refused, with the path to it and a remedy', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const refused: [unknown, RegExp][] = [
    [undefined, /^content is undefined.*: \w/],
    [null, /^content is null.*: \w/],
    [1n, /^content is a BigInt.*as a string/],
    [Number.NaN, /^content is NaN/],
    [{ a: [1, Infinity] }, /^content\.a\[1\] is Infinity/],
    [{ a: { b: () => 1 } }, /^content\.a\.b is a function/],
    [[Symbol('s')], /^content\[0\] is a symbol/],
    [[1, undefined], /^content\[1\] is undefined/],
    [new Map(), /^content is a Map.*Object\.fromEntries/],
    [{ set: new Set() }, /^content\.set is a Set/],
    [new Error('x'), /^content is an Error/],
    [/x/, /^content is a RegExp/],
    [Promise.resolve(), /await/],
    [new WeakMap(), /WeakMap/],
    [new WeakSet(), /WeakSet/],
    [new ArrayBuffer(1), /base64/],
    [Buffer.from('x'), /base64/],
    [new Float64Array(1), /base64/],
    [new DataView(new ArrayBuffer(1)), /base64/],
    [new SharedArrayBuffer(1), /base64/],
    [new Date(Number.NaN), /^content is an invalid Date/],
    [{ at: new Date('no date') }, /^content\.at is an invalid Date.*: \w/],
    [{ query: new URLSearchParams('a=b') }, /^content\.query is an iterable.*fromEntries/],
    [new Map().keys(), /^content is an iterable/],
    [cycle, /cycle/],
    [nested(1100), /levels deep/],
    [nested(200_000), /levels deep/],
  ];
  for (const [content, message] of refused) {
    assert.throws(() => checkContent(content), { code: 'IPCM_INVALID_CONTENT', message }, String(message));
  }
});

test('every JSON value but null is accepted and survives', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (content) => {
      fc.pre(content !== null);
      checkContent(content);
    }),
  );
});
