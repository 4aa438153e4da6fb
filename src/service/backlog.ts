/** Messages that have been read and wait for their turn, and what they take of the memory. */
import type { Message } from '../message/message.ts';
import type { ServiceContent } from './wire.ts';

/** A message, and what it means; undefined for a general one. */
export interface Received<Meaning = ServiceContent | undefined> {
  readonly message: Message;
  readonly meaning: Meaning;
}

interface Held<Item> {
  readonly item: Item;
  readonly bytes: number;
}

/** What a message takes beside its content, in bytes, more or less. */
const beside = 1024;
/** Places at the head of the queue that may be empty before those behind them move up. */
const mostEmpty = 1024;

/** First come, first served. */
export class Backlog<Item extends Received> {
  #queue: (Held<Item> | undefined)[] = [];
  #head = 0;
  #length = 0;
  #bytes = 0;

  /** Messages that wait. */
  get length(): number {
    return this.#length;
  }

  /** What they take of the memory, more or less. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The one whose turn is next. */
  get first(): Item | undefined {
    for (; this.#head < this.#queue.length; this.#head++) {
      const held = this.#queue[this.#head];
      if (held !== undefined) return held.item;
    }
    return undefined;
  }

  /** Takes one in, behind the others. */
  push(item: Item): void {
    const bytes = beside + sizeOf(item.message.content);
    this.#queue.push({ item, bytes });
    this.#length++;
    this.#bytes += bytes;
  }

  /** Takes the next one out. */
  shift(): Item | undefined {
    const { first } = this;
    if (first !== undefined) this.#empty(this.#head);
    return first;
  }

  /** Takes out the first for which that is true. */
  remove(is: (item: Item) => boolean): Item | undefined {
    const at = this.#queue.findIndex((held) => held !== undefined && is(held.item));
    return at === -1 ? undefined : this.#empty(at);
  }

  /** Takes all out. */
  clear(): Item[] {
    const all = this.#queue.flatMap((held) => (held === undefined ? [] : [held.item]));
    [this.#queue, this.#head, this.#length, this.#bytes] = [[], 0, 0, 0];
    return all;
  }

  #empty(at: number): Item | undefined {
    const held = this.#queue[at];
    if (held === undefined) return undefined;
    this.#queue[at] = undefined;
    this.#bytes -= held.bytes;
    if (--this.#length === 0) {
      [this.#queue, this.#head] = [[], 0];
    } else if (this.#head > mostEmpty && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return held.item;
  }
}

/** What a content takes, more or less: to serialize it would tell better, and cost more than all the rest. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let bytes = 0;
  for (const each of Object.values(value)) bytes += 16 + sizeOf(each);
  return bytes;
}
