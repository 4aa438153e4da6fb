/** A counter of the demo: counts the words of what the reader sends it, and hands its counts to the collector. */
import type { Client } from '../../index.ts';
import { contents, names, textLimit, type TextContent } from './contents.ts';
import { Flow } from './flow.ts';
import { WordFinder } from './words.ts';

/** Counts are handed on beyond so many different words, or so many code units of them: a counter's memory is bounded. */
const mostWords = 20_000;
const mostText = 4 * 1024 * 1024;

/** Counts until the reader says that the file has ended. */
export async function runCounter(client: Client): Promise<void> {
  const flow = new Flow(client);
  const counter = new Counter(client, flow);
  await new Promise<void>((resolve, reject) => {
    // Pieces are worked on one after the other while this loop goes on and hears what the collector confirms.
    let work = Promise.resolve();
    const listen = async (): Promise<void> => {
      for await (const { from, content } of contents(client)) {
        if (content.kind === 'done') flow.confirmed(from);
        else if (content.kind === 'text') work = work.then(() => counter.count(content, from));
        else if (content.kind === 'end') work.then(() => counter.end()).then(resolve, reject);
        work.catch(reject);
      }
    };
    listen().catch(reject);
  });
}

class Counter {
  readonly #client: Client;
  readonly #flow: Flow;
  readonly #finder = new WordFinder((word) => this.#found(word));
  #counts = new Map<string, number>();
  #text = 0;
  #lines = 0;

  constructor(client: Client, flow: Flow) {
    this.#client = client;
    this.#flow = flow;
  }

  async count({ text, more, unterminated }: TextContent, from: string): Promise<void> {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#lines++;
    if (unterminated) this.#lines++;
    this.#finder.take(text, more);
    if (this.#counts.size > mostWords || this.#text > mostText) await this.#handOn();
    await this.#client.sendMessage(from, { kind: 'done' });
  }

  async end(): Promise<void> {
    await this.#handOn();
    await this.#flow.settled();
    await this.#client.sendMessage(names.collector, { kind: 'counted', lines: this.#lines });
  }

  #found(word: string): void {
    const count = this.#counts.get(word);
    if (count !== undefined) {
      this.#counts.set(word, count + 1);
      return;
    }
    // A match is a view of the piece it was found in and would keep all of it in memory: take a copy.
    this.#counts.set(Buffer.from(word, 'utf16le').toString('utf16le'), 1);
    this.#text += word.length;
  }

  /** Sends the counts in messages of bounded size; a word that fills more than one goes ahead in parts. */
  async #handOn(): Promise<void> {
    const counts = this.#counts;
    this.#counts = new Map();
    this.#text = 0;
    const limit = textLimit(this.#client);
    let words: [string, number][] = [];
    let size = 0;
    const send = async (): Promise<void> => {
      if (words.length > 0) await this.#flow.send(names.collector, { kind: 'words', words });
      words = [];
      size = 0;
    };
    for (const [word, count] of counts) {
      // Quotes, brackets, commas and the number: some twenty bytes, and a sixth of that where characters are escaped.
      if (size + word.length + 4 > limit || words.length >= 5000) await send();
      let left = word;
      while (left.length > limit) {
        await this.#flow.send(names.collector, { kind: 'part', text: left.slice(0, limit) });
        left = left.slice(limit);
      }
      words.push([left, count]);
      size += left.length + 4;
    }
    await send();
  }
}
