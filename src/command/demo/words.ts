/** The words of a text that comes in pieces. */
import { createHash, type Hash } from 'node:crypto';

/** A word: letters and digits, with apostrophes within. */
const word = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu;
/** How a word goes on: directly, or behind an apostrophe that may turn out not to be part of it. */
const rest = /[\p{L}\p{N}]*(?:['’][\p{L}\p{N}]+)*/uy;

/**
 * Longer words, in code units, are told apart by their SHA-256 instead of being kept: a file may be one word of any size,
 * and memory is to stay bounded.
 */
const longest = 1024 * 1024;
/** As much of such a word is shown. */
const shown = 40;

/** A word too long to keep, of which only the digest grows. */
class LongWord {
  readonly #hash: Hash = createHash('sha256');
  readonly #beginning: string;
  #length = 0;

  constructor(text: string) {
    this.#beginning = text.slice(0, shown).toLowerCase();
    this.add(text);
  }

  add(text: string): void {
    this.#length += text.length;
    // Whether Σ becomes σ or ς depends on what comes behind it, which may be in another piece: here they are the same.
    this.#hash.update(text.toLowerCase().replaceAll('ς', 'σ'));
  }

  /** Cannot be taken for a word: it holds what no word does. */
  toString(): string {
    return `${this.#beginning}… (${this.#length} characters, sha256 ${this.#hash.digest('hex')})`;
  }
}

/** Finds words, also where one goes over any number of pieces. */
export class WordFinder {
  readonly #found: (word: string) => void;
  /** The word that the last piece ended in; empty if none. */
  #begun: string | LongWord = '';
  /** An apostrophe behind it, part of the word only if a letter follows. */
  #apostrophe = '';

  /** `found` gets each word in lower case. */
  constructor(found: (word: string) => void) {
    this.#found = found;
  }

  /** Takes a piece; with `more`, a word at its end may go on in the next. */
  take(piece: string, more: boolean): void {
    let at = 0;
    if (this.#begun !== '') {
      const text = this.#apostrophe + piece;
      rest.lastIndex = 0;
      const part = rest.exec(text)?.[0] ?? '';
      this.#extend(part);
      // What is left of `text` begins with an apostrophe at most, which begins no word.
      at = Math.max(0, part.length - this.#apostrophe.length);
      if (more && this.#mayGoOn(text, part.length)) return;
      this.#finish();
    }
    word.lastIndex = at;
    for (let match = word.exec(piece); match !== null; match = word.exec(piece)) {
      this.#begun = match[0];
      if (more && this.#mayGoOn(piece, word.lastIndex)) return;
      this.#finish();
    }
  }

  /** Whether a word that ends at `end` reaches the end of the text, but perhaps for an apostrophe. */
  #mayGoOn(text: string, end: number): boolean {
    const behind = text.slice(end, end + 2);
    if (behind !== '' && behind !== "'" && behind !== '’') return false;
    this.#apostrophe = behind;
    return true;
  }

  #extend(part: string): void {
    if (typeof this.#begun !== 'string') this.#begun.add(part);
    else if (this.#begun.length + part.length <= longest) this.#begun += part;
    else this.#begun = new LongWord(this.#begun + part);
  }

  #finish(): void {
    this.#found(typeof this.#begun === 'string' ? this.#begun.toLowerCase() : this.#begun.toString());
    this.#begun = '';
    this.#apostrophe = '';
  }
}
