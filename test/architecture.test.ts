import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';

/**
 * The parts of src/ from the bottom up: a part may import itself and what stands in an earlier row.
 * Cycles between single files are oxlint's job (import/no-cycle).
 */
const rows = [
  ['errors.ts'],
  ['liveness'],
  ['message'],
  ['diagnostics'],
  ['serializers'],
  ['native'],
  ['protocol'],
  ['client'],
  ['launch'],
  ['spawn'],
  ['protocols'],
  ['protocols/resolve.ts'],
  ['connect.ts'],
  ['bus.ts'],
  ['service'],
  ['index.ts'],
  ['testing'],
  ['command'],
];

/** What a protocol may import besides its own folder: a protocol is replaceable, so it knows nothing of clients. */
const openToProtocols = ['errors.ts', 'liveness', 'diagnostics', 'message', 'serializers', 'native', 'protocol'];
const sharedByProtocols = ['protocols/directory', 'protocols/sql', 'protocols/sql-server', 'protocols/mysql-family'];

const root = join(import.meta.dirname, '../src');
const files = globSync('**/*.ts', { cwd: root });

const partOf = (file: string): string => (rows.flat().includes(file) ? file : (file.split('/')[0] ?? ''));
const rowOf = (part: string): number => rows.findIndex((row) => row.includes(part));
const protocolOf = (file: string): string => file.split('/').slice(0, 2).join('/');

/** Every specifier that a file imports, re-exports or imports dynamically, also for types only. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\b(?:[^'"`;]*?\bfrom\b)?\s*'([^'\n]+)'/gm);
  const expressions = text.matchAll(/\bimport\(\s*'([^'\n]+)'/g);
  return [...statements, ...expressions].map((match) => match[1] ?? '');
}

/** Why a file in src/ may not import another one, if so. */
function objection(from: string, to: string): string | undefined {
  const [fromPart, toPart] = [partOf(from), partOf(to)];
  if (fromPart === 'protocols' && toPart === 'protocols') {
    const isAllowed = protocolOf(from) === protocolOf(to) || sharedByProtocols.includes(protocolOf(to));
    return isAllowed ? undefined : `a protocol imports no other one, only ${sharedByProtocols.join(', ')}`;
  }
  if (fromPart === 'protocols')
    return openToProtocols.includes(toPart) ? undefined : `not open to protocols: ${toPart}`;
  if (fromPart === toPart || rowOf(toPart) < rowOf(fromPart)) return undefined;
  return `${toPart} does not lie below ${fromPart}`;
}

test('every part of src/ has its place in the layers', () => {
  const unplaced = new Set(files.map(partOf).filter((part) => rowOf(part) === -1));
  assert.deepEqual([...unplaced], [], 'add these to the rows in test/architecture.test.ts');
});

test('imports in src/ point downwards', () => {
  const wrong = files.flatMap((from) =>
    importsOf(from)
      .filter((specifier) => specifier.startsWith('.'))
      .flatMap((specifier) => {
        const to = posix.join(dirname(from), specifier);
        const reason = objection(from, to);
        return reason === undefined ? [] : [`${from} imports ${to}: ${reason}`];
      }),
  );
  assert.deepEqual(wrong, []);
});

test('the command imports of the library only what the built package has as files', () => {
  const built = ['index.ts', 'service/index.ts'];
  const wrong = files
    .filter((file) => partOf(file) === 'command')
    .flatMap((from) =>
      importsOf(from)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(dirname(from), specifier))
        .filter((to) => !to.startsWith('command/') && !built.includes(to))
        .map((to) => `${from} imports ${to}`),
    );
  assert.deepEqual(wrong, []);
});

/** The drivers of databases: optional peers, imported when they are first used, each by its own protocol. */
const drivers = new Map([['protocols/postgresql', 'pg']]);

/** Imports at the top of a file, which loading it loads. */
function loadedBy(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\b(?!\s*type\b)(?:[^'"`;]*?\bfrom\b)?\s*'([^'\n]+)'/gm);
  return [...statements].map((match) => match[1] ?? '');
}

test('the library imports no package but drivers, when they are used; the command, which is bundled, may', () => {
  const wrong = files
    .filter((file) => partOf(file) !== 'command')
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith('.') && !(specifier.startsWith('node:') && isBuiltin(specifier)))
        .filter((specifier) => drivers.get(protocolOf(file)) !== specifier || loadedBy(file).includes(specifier))
        .map((specifier) => `${file} imports ${specifier}`),
    );
  assert.deepEqual(wrong, []);
});
