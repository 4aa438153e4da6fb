/** What the processes of the demo say to each other. */
import { IpcError, type Client, type Message } from '../../index.ts';

/** The names on the demo's bus. */
export const names = { parent: 'demo', reader: 'reader', collector: 'collector' } as const;

/** Names of the counters. */
export function counterNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `counter-${index + 1}`);
}

/** A piece of the file, from the reader to a counter. */
export interface TextContent {
  readonly kind: 'text';
  readonly text: string;
  /** The text ends amid what may be one word, which goes on in the next piece for the same counter. */
  readonly more: boolean;
  /** The text ends with a line that has no line feed: the file's last. */
  readonly unterminated: boolean;
}

/** Content of a message of the demo. */
export type Content =
  | TextContent
  // From the parent: begin, end early, and print.
  | { readonly kind: 'start' | 'stop' | 'print' }
  // From the reader: the file has ended (to counters); how far it is, and what it read (to the parent).
  | { readonly kind: 'end' }
  | { readonly kind: 'progress' | 'read'; readonly bytes: number; readonly lines: number }
  // From a counter to the collector: a part of a long word, counts of words, and its totals at the end.
  | { readonly kind: 'part'; readonly text: string }
  | { readonly kind: 'words'; readonly words: readonly (readonly [word: string, count: number])[] }
  | { readonly kind: 'counted'; readonly lines: number }
  // A piece has been dealt with: the sender may send another.
  | { readonly kind: 'done' }
  // From the collector to the parent.
  | Result;

/** What the collector knows in the end. */
export interface Result {
  readonly kind: 'result';
  readonly lines: number;
  readonly words: number;
  readonly different: number;
}

/** Messages as content; ends with an error where the bus ends before the work is done. */
export async function* contents(
  client: Client,
): AsyncGenerator<{ readonly from: string; readonly content: Content }, void, void> {
  for await (const message of client.messages()) yield { from: message.from, content: contentOf(message) };
  throw new IpcError('IPCM_NOT_CONNECTED', `demo: the bus ended before "${client.id}" was done`, { client: client.id });
}

function contentOf(message: Message): Content {
  const { content } = message;
  if (typeof content === 'object' && content !== null && 'kind' in content) return content as Content;
  throw new IpcError(
    'IPCM_MALFORMED_MESSAGE',
    `demo: "${message.from}" sent "${message.to}" something else than the demo's messages`,
  );
}

/** Code units of text in one message: some 64 KB of plain text; each may take six bytes in JSON (`\u0000`). */
export function textLimit(client: Client): number {
  return Math.min(60_000, Math.floor((client.protocol.capabilities.largestMessage - 1000) / 6));
}
