/** What a child says on stderr: passed on to this process's, and its end kept for the error of a child that fails. */
import type { Readable } from 'node:stream';

/** Characters that are kept. */
const kept = 4096;

/** The end of a child's stderr. */
export class Tail {
  #text = '';
  #ended: Promise<void> = Promise.resolve();

  /** The last lines. */
  get text(): string {
    return this.#text.trim();
  }

  /** Resolves when nothing more can come. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Reads a stream to its end, which does not hold the process. */
  follow(stream: Readable): void {
    if (stream instanceof process.getBuiltinModule('node:net').Socket) stream.unref();
    this.#ended = new Promise((resolve) => stream.once('close', resolve));
    // A pipe whose writer was killed.
    stream.on('error', () => undefined);
    stream.on('data', (bytes: Buffer) => {
      process.stderr.write(bytes);
      const text = this.#text + bytes.toString('utf8');
      this.#text = text.length > kept ? text.slice(-kept) : text;
    });
  }
}
