/**
 * The messages of one pair of clients written as JSON straight into a buffer: all but the id, the stamp and the content is the
 * same in each, so it is copied. 0.15 µs beside the content's own text, where making and writing the whole text takes 0.9.
 */
import { writeUuidAt } from '../message/id.ts';
import { stampBytes, writeStamp } from '../message/stamp.ts';
import { escapeAscii, jsonOf } from './json-text.ts';
import type { MessageWriter } from './serializer.ts';

const closing = 0x7d;
const idAt = '{"id":"'.length;
const id = '0'.repeat(36);
const stamp = '0'.repeat(stampBytes);

/** Room for a character beyond the last: UTF-8 that needs more bytes than the text has units shows that it is not ASCII. */
const surplus = 4;

/** Writes what `from` sends to `to`. */
export class JsonWriter implements MessageWriter {
  readonly #template: Buffer;
  readonly #stampAt: number;
  #text = '';
  #isAscii = false;

  constructor(from: string, to: string) {
    const names = `"from":${jsonOf(from)},"to":${jsonOf(to)}`;
    const head = escapeAscii(`{"id":"${id}",${names},"stamp":`);
    this.#template = Buffer.from(`${head}${stamp},"stamp_ord":0,"content":`, 'latin1');
    this.#stampAt = head.length;
  }

  begin(content: unknown): number {
    this.#text = jsonOf(content);
    this.#isAscii = false;
    return this.#template.length + this.#text.length + surplus + 1;
  }

  finish(micros: number, into: Buffer, at: number): number {
    const template = this.#template;
    const contentAt = at + template.length;
    const text = this.#text;
    // Writing it as UTF-8 is the cheapest test for ASCII.
    const written = this.#isAscii ? into.write(text, contentAt, 'latin1') : into.write(text, contentAt);
    if (written !== text.length) {
      this.#text = escapeAscii(text);
      this.#isAscii = true;
      return -(template.length + this.#text.length + surplus + 1);
    }
    template.copy(into, at);
    writeUuidAt(micros, into, at + idAt);
    writeStamp(micros, into, at + this.#stampAt);
    into[contentAt + written] = closing;
    this.#text = '';
    return contentAt + written + 1;
  }
}
