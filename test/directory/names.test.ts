import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkName,
  entryFor,
  isEntryName,
  isHashed,
  longestName,
  nameOf,
} from '../../src/protocols/directory/names.ts';
import { folder } from '../fixtures/directory-bus.ts';

const limit = 200;
const hash = (name: string): string => `h-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;

test('an ordinary name is its own entry', () => {
  for (const name of ['a', 'con1', 'My Service', 'x.y', 'ünï', '🙂', 'constructor', 'x.pidx', 'a'.repeat(200)]) {
    assert.equal(entryFor(name, limit), name);
  }
});

test('the reference hashes long names, control characters, slashes and what looks hashed', () => {
  for (const name of [
    'a'.repeat(201),
    '🙂'.repeat(51),
    'a/b',
    '../x',
    'a\\b',
    'a\nb',
    'a\u007fb',
    'h-',
    'h-looks-hashed',
    'x'.repeat(500),
  ]) {
    assert.equal(entryFor(name, limit), hash(name));
  }
  assert.equal(entryFor('h-looks-hashed', limit), 'h-827896809e7662c6b7249104cd6c8fdd0188969a');
});

test('names that would be hidden or taken for a sidecar are hashed as well', () => {
  for (const name of ['.', '..', '.ipcm', '.x', 'x.pid', 'x.name', 'x.stats', 'x.resume', 'x.suspend', 'x.pend']) {
    assert.equal(entryFor(name, limit), hash(name));
  }
});

test('names that nobody can have are refused', () => {
  for (const name of [
    '',
    '_',
    '_x',
    '__proto__',
    'a\ud800b',
    '\udc00',
    'x'.repeat(longestName + 1),
    undefined,
    null,
    7,
    {},
  ]) {
    assert.throws(() => checkName(name), { code: 'IPCM_INVALID_NAME' });
  }
  checkName('x'.repeat(longestName));
});

test('where not even a hash fits, the error says so', () => {
  assert.equal(entryFor('ab', 2), 'ab');
  assert.throws(() => entryFor('abc', 2), { code: 'IPCM_ROUTE_INVALID', message: /42/ });
});

test('every name has one entry that is a safe file name, and comes back', (t) => {
  const route = folder(t);
  const names = fc.string({ unit: 'binary', maxLength: 300 }).filter((name) => {
    try {
      checkName(name);
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(
    fc.property(names, fc.integer({ min: 42, max: 200 }), (name, bytes) => {
      const entry = entryFor(name, bytes);
      assert.ok(Buffer.byteLength(entry) <= bytes);
      assert.ok(isEntryName(entry));
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(entry, /[\u0000-\u001f\u007f/\\]|^\./);
      if (isHashed(entry)) writeFileSync(`${route}/${entry}.name`, name);
      assert.equal(nameOf(route, entry), name);
    }),
    { numRuns: 500 },
  );
});

test('different names have different entries', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
      fc.pre(a !== b && !a.startsWith('_') && !b.startsWith('_'));
      assert.notEqual(entryFor(a, limit), entryFor(b, limit));
    }),
  );
});

test('what is no peer', () => {
  for (const file of ['', '.x', '_x', 'x.pid', 'x.name', 'x.stats', 'x.resume', 'x.suspend', 'x.pend']) {
    assert.equal(isEntryName(file), false, file);
  }
});
