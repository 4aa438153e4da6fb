/** The collector of the demo: merges the counts and prints the most frequent words. */
import type { Client } from '../../index.ts';
import { printJson, printTable } from '../output.ts';
import { contents, names, type Content, type Result } from './contents.ts';

/** How the collector works. */
export interface CollectorOptions {
  readonly counters: number;
  readonly top: number;
  readonly json: boolean;
}

/** A word and how often it occurs. */
export type WordCount = readonly [word: string, count: number];

/** Collects until all counters have reported and the parent says that the terminal is free. */
export async function runCollector(client: Client, options: CollectorOptions): Promise<void> {
  const counts = new Map<string, number>();
  const parts = new Map<string, string>();
  let reported = 0;
  let lines = 0;
  let mayPrint = false;
  const take = async (from: string, content: Content): Promise<void> => {
    if (content.kind === 'words') merge(counts, content.words, parts.get(from) ?? '');
    if (content.kind === 'words') parts.delete(from);
    if (content.kind === 'part') parts.set(from, (parts.get(from) ?? '') + content.text);
    if (content.kind === 'words' || content.kind === 'part') await client.sendMessage(from, { kind: 'done' });
    if (content.kind === 'counted') {
      lines += content.lines;
      reported++;
    }
    if (content.kind === 'print') mayPrint = true;
  };
  for await (const { from, content } of contents(client)) {
    await take(from, content);
    if (mayPrint && reported === options.counters) break;
  }
  await show(mostFrequent(counts, options.top), options.json);
  let words = 0;
  for (const count of counts.values()) words += count;
  const result: Result = { kind: 'result', lines, words, different: counts.size };
  await client.sendMessage(names.parent, result);
}

/** Adds counts; `beginning` is that of the first word. */
function merge(counts: Map<string, number>, words: readonly WordCount[], beginning: string): void {
  let before = beginning;
  for (const [end, count] of words) {
    const word = before + end;
    counts.set(word, (counts.get(word) ?? 0) + count);
    before = '';
  }
}

/** The `top` most frequent words, equally frequent ones in the order of their code units. */
export function mostFrequent(counts: ReadonlyMap<string, number>, top: number): WordCount[] {
  const order = (a: WordCount, b: WordCount): number => b[1] - a[1] || (a[0] < b[0] ? -1 : 1);
  let best: WordCount[] = [];
  for (const entry of counts) {
    best.push(entry);
    // Sorted now and then rather than all at the end: of millions of words a few are wanted.
    if (best.length >= 2 * top + 1000) best = best.sort(order).slice(0, top);
  }
  return best.sort(order).slice(0, top);
}

/** Longer words are cut in the table; with `--json` they are whole. */
const cell = 60;

async function show(words: readonly WordCount[], json: boolean): Promise<void> {
  if (!json) {
    if (words.length === 0) return;
    const brief = (word: string): string =>
      word.length <= cell || word.endsWith(')') ? word : `${word.slice(0, cell)}… (${word.length} characters)`;
    await printTable(
      [{ title: 'COUNT', align: 'right' }, 'WORD'],
      words.map(([word, count]) => [count, brief(word)]),
    );
    return;
  }
  for (let at = 0; at < words.length; at += 1000) {
    if (!(await printJson(...words.slice(at, at + 1000).map(([word, count]) => ({ word, count }))))) return;
  }
}
