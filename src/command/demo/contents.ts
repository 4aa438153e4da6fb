/** What the processes of the demo ask each other: all but the parent are services, and every piece is a request. */
import type { Client } from '../../index.ts';

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

/** How far the reader is. */
export interface Progress {
  readonly bytes: number;
  readonly lines: number;
}

/** What the reader is asked: to read all, how far it is, and to stop reading early. */
export interface ReaderRequest {
  readonly kind: 'read' | 'progress' | 'stop';
}

/** The answer to `read`, when every counter has dealt with everything. */
export interface ReadResult extends Progress {
  /** Lines that the counters have seen. */
  readonly counted: number;
}

/** What a counter is asked: to count a piece, and, at the end, to hand on what it has. */
export type CounterRequest = TextContent | { readonly kind: 'end' };

/** What the collector is asked: to add a part of a long word or counts of words, and, at the end, to print. */
export type CollectorRequest =
  | { readonly kind: 'part'; readonly text: string }
  | { readonly kind: 'words'; readonly words: readonly (readonly [word: string, count: number])[] }
  | { readonly kind: 'print'; readonly top: number; readonly json: boolean };

/** The answer to `print`. */
export interface Totals {
  readonly words: number;
  readonly different: number;
}

/** Code units of text in one message: some 64 KB of plain text; each may take six bytes in JSON (`\u0000`). */
export function textLimit(client: Client): number {
  return Math.min(60_000, Math.floor((client.protocol.capabilities.largestMessage - 1000) / 6));
}
