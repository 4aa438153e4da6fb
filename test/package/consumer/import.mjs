import assert from 'node:assert/strict';

for (const specifier of process.argv.slice(2)) {
  const names = Object.keys(await import(specifier));
  assert.notEqual(names.length, 0, `${specifier} exports nothing`);
}
