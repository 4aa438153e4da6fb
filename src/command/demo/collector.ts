/** The collector of the demo: merges the counts and prints the most frequent words. */
import type { ServiceDefinition } from '../../service/index.ts';
import { printJson, printTable } from '../output.ts';
import type { CollectorRequest, Totals } from './contents.ts';

/** A word and how often it occurs. */
export type WordCount = readonly [word: string, count: number];

/** The collector's service: its answer to a piece says that it has been added. */
export function collectorService(): ServiceDefinition<CollectorRequest, Totals | null> {
  const counts = new Map<string, number>();
  const parts = new Map<string, string>();
  return {
    async handleRequest(request, { from }) {
      if (request.kind === 'print') {
        await show(mostFrequent(counts, request.top), request.json);
        let words = 0;
        for (const count of counts.values()) words += count;
        return { words, different: counts.size };
      }
      const beginning = parts.get(from) ?? '';
      if (request.kind === 'part') parts.set(from, beginning + request.text);
      else merge(counts, request.words, beginning);
      if (request.kind === 'words') parts.delete(from);
      return null;
    },
  };
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
