import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** A test's name as a pattern: what a template fills in stands as … in the docs. */
function plain(name: string): string {
  return name.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').replaceAll("\\'", "'");
}

/** The names of all tests, as they stand in the sources. */
function testNames(): Set<string> {
  const names = new Set<string>();
  for (const file of globSync(['src/testing/**/*.ts', 'test/**/*.test.ts'], { exclude: ['test/runtimes/**'] })) {
    const source = readFileSync(file, 'utf8');
    for (const match of source.matchAll(
      /\b(?:test|crossProcess|it)\(\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g,
    )) {
      names.add(plain(match[1] ?? match[2] ?? ''));
    }
  }
  return names;
}

test('every test that the delivery promises name exists', () => {
  const names = testNames();
  const text = readFileSync('docs/delivery.md', 'utf8');
  const quoted = [...text.matchAll(/"([^"\n]+)"/g)].map(([, name = '']) => name);
  assert.ok(quoted.length > 30, `only ${quoted.length} tests are named`);
  assert.deepEqual(
    quoted.filter((name) => !names.has(name)),
    [],
  );
});
