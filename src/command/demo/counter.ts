/** A counter of the demo: counts the words of what the reader sends it, and hands its counts to the collector. */
import type { Service, ServiceDefinition } from '../../service/index.ts';
import { names, textLimit, type CollectorRequest, type CounterRequest, type TextContent } from './contents.ts';
import { Flow } from './flow.ts';
import { WordFinder } from './words.ts';

/** Counts are handed on beyond so many different words, or so many code units of them: a counter's memory is bounded. */
const mostWords = 20_000;
const mostText = 4 * 1024 * 1024;

/** A counter's service: its answer to a piece says that it has been counted, that to the end how many lines there were. */
export function counterService(): ServiceDefinition<CounterRequest, number> {
  let counter: Counter | undefined;
  let work: Promise<number> = Promise.resolve(0);
  return {
    handleRequest(request, { service }) {
      const mine = (counter ??= new Counter(service));
      // Pieces are worked on one after the other: a word may go from one to the next.
      work = work.then(() => (request.kind === 'end' ? mine.end() : mine.count(request)));
      return work;
    },
  };
}

class Counter {
  readonly #limit: number;
  readonly #flow: Flow<CollectorRequest>;
  readonly #finder = new WordFinder((word) => this.#found(word));
  #counts = new Map<string, number>();
  #text = 0;
  #lines = 0;

  constructor(service: Service) {
    this.#limit = textLimit(service.client);
    this.#flow = new Flow((to, request) => service.peer(to).request(request));
  }

  async count({ text, more, unterminated }: TextContent): Promise<number> {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#lines++;
    if (unterminated) this.#lines++;
    this.#finder.take(text, more);
    if (this.#counts.size > mostWords || this.#text > mostText) await this.#handOn();
    return this.#lines;
  }

  async end(): Promise<number> {
    await this.#handOn();
    await this.#flow.settled();
    return this.#lines;
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
    const limit = this.#limit;
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
