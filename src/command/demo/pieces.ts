/** Cuts a stream of bytes into pieces of text that can be counted independently, with bounded memory. */
import type { TextContent } from './contents.ts';

/** What can stand in a word. Behind anything else a text can be cut without changing its words. */
const inWord = /[\p{L}\p{N}'’]/u;

/** Bytes and lines so far, counted on the bytes themselves. */
export interface Progress {
  bytes: number;
  lines: number;
}

/**
 * Pieces of at most `limit` code units, cut behind a line feed where there is one, else behind what no word holds. Where
 * there is neither, a piece is cut anywhere and marked `more`. Invalid UTF-8 becomes U+FFFD, which is in no word.
 */
export async function* piecesOf(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  progress: Progress,
): AsyncGenerator<TextContent, void, void> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let pending = '';
  let last = 10;
  for await (const chunk of source) {
    progress.bytes += chunk.length;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) progress.lines++;
    last = chunk.at(-1) ?? last;
    pending += decoder.decode(chunk, { stream: true });
    while (pending.length > limit) {
      const { end, more } = cut(pending, limit);
      yield { kind: 'text', text: pending.slice(0, end), more, unterminated: false };
      pending = pending.slice(end);
    }
  }
  pending += decoder.decode();
  while (pending.length > limit) {
    const { end, more } = cut(pending, limit);
    yield { kind: 'text', text: pending.slice(0, end), more, unterminated: false };
    pending = pending.slice(end);
  }
  const unterminated = last !== 10;
  if (unterminated) progress.lines++;
  if (pending !== '' || unterminated) yield { kind: 'text', text: pending, more: false, unterminated };
}

/** Where to cut a text that is longer than `limit`. */
function cut(text: string, limit: number): { readonly end: number; readonly more: boolean } {
  const lineFeed = text.lastIndexOf('\n', limit - 1);
  if (lineFeed !== -1) return { end: lineFeed + 1, more: false };
  let end = limit;
  // Not between the halves of a surrogate pair.
  if (isLow(text.charCodeAt(end))) end--;
  for (let at = end; at > 0;) {
    const start = isLow(text.charCodeAt(at - 1)) ? at - 2 : at - 1;
    if (!inWord.test(text.slice(start, at))) return { end: at, more: false };
    at = start;
  }
  return { end, more: true };
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
