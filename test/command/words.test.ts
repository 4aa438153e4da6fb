import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { mostFrequent } from '../../src/command/demo/collector.ts';
import { piecesOf } from '../../src/command/demo/pieces.ts';
import { WordFinder } from '../../src/command/demo/words.ts';
import { linesOf } from '../../src/command/lines.ts';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The words of a text, all at once. */
function wordsOf(text: string): string[] {
  return (text.match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? []).map((word) => word.toLowerCase());
}

/** The same by way of pieces, as reader and counters do it; counters are changed wherever that is allowed. */
async function countInPieces(
  bytes: Uint8Array,
  chunk: number,
  limit: number,
): Promise<{ words: string[]; lines: number; counted: number }> {
  const progress = { bytes: 0, lines: 0 };
  const words: string[] = [];
  let finder = new WordFinder((word) => words.push(word));
  let counted = 0;
  for await (const { text, more, unterminated } of piecesOf(chunksOf(bytes, chunk), limit, progress)) {
    assert.ok(text.length <= limit);
    counted += text.split('\n').length - 1 + (unterminated ? 1 : 0);
    finder.take(text, more);
    if (!more) finder = new WordFinder((word) => words.push(word));
  }
  assert.equal(progress.bytes, bytes.length);
  return { words, lines: progress.lines, counted };
}

const letters = fc.constantFrom(
  'a',
  'B',
  'é',
  'Σ',
  'σ',
  'ʰ',
  '7',
  '𝔸',
  '𐐀',
  "'",
  "'",
  '’',
  ' ',
  '\n',
  '\r\n',
  '-',
  '😀',
  '\ufeff',
  '\u0000',
  'İ',
);

test('words and lines are the same however the bytes are cut', async () => {
  const sizes = [fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 12 })] as const;
  await fc.assert(
    fc.asyncProperty(fc.array(letters, { maxLength: 60 }), ...sizes, async (parts, chunk, limit) => {
      const bytes = Buffer.from(parts.join(''));
      const { words, lines, counted } = await countInPieces(bytes, chunk, limit);
      assert.deepEqual(words, wordsOf(bytes.toString('utf8')));
      const expected = parts.join('').split('\n');
      assert.equal(lines, expected.length - (expected.at(-1) === '' ? 1 : 0));
      assert.equal(counted, lines);
    }),
    { numRuns: 3000 },
  );
});

test('any bytes at all', async () => {
  const sizes = [fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 12 })] as const;
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), ...sizes, async (bytes, chunk, limit) => {
      const { words, lines, counted } = await countInPieces(bytes, chunk, limit);
      assert.deepEqual(words, wordsOf(Buffer.from(bytes).toString('utf8')));
      assert.equal(counted, lines);
    }),
    { numRuns: 3000 },
  );
});

test('words of up to a mebi of code units are whole, longer ones are told apart by their digest', async () => {
  const long = `${"ab'c".repeat(262_144 - 1)}xyz`;
  const text = `${long}d ${long}ΣΑΣ ${long}de ${long}de end`;
  const { words } = await countInPieces(Buffer.from(text), 65_536, 60_000);
  const hash = (word: string): string =>
    createHash('sha256').update(word.toLowerCase().replaceAll('ς', 'σ')).digest('hex');
  const name = (word: string): string => `${word.slice(0, 40)}… (${word.length} characters, sha256 ${hash(word)})`;
  assert.deepEqual(words, [`${long}d`, name(`${long}ΣΑΣ`), name(`${long}de`), name(`${long}de`), 'end']);
});

test('the most frequent words, in a stable order', () => {
  const counts = new Map(Array.from({ length: 5000 }, (_, n) => [`w${n}`, n % 7] as const));
  const expected = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  for (const top of [0, 1, 10, 4999, 5000, 9999]) assert.deepEqual(mostFrequent(counts, top), expected.slice(0, top));
});

test('lines however the bytes are cut, and those over the limit marked', async () => {
  const text = `a\n\nlönger\n${'x'.repeat(50)}\nend`;
  for (let chunk = 1; chunk < 40; chunk++) {
    const lines = [];
    for await (const some of linesOf(chunksOf(Buffer.from(text), chunk), 20)) lines.push(...some);
    assert.deepEqual(lines, [
      { number: 1, text: 'a' },
      { number: 2, text: '' },
      { number: 3, text: 'lönger' },
      { number: 4, tooLong: true },
      { number: 5, text: 'end' },
    ]);
  }
});
