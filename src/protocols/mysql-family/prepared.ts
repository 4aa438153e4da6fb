/**
 * Prepared statements on a MySQL server, in the order of the calls.
 *
 * MariaDB takes a statement's preparation and its execution in one go. MySQL first has to answer under which number it goes, and
 * the library sends meanwhile what was asked for later: a transaction's COMMIT before its first insert. So statements are
 * prepared here, before anything is sent that needs them.
 */
import type { DriverConnection, DriverStatement } from './driver.ts';

/** The statements of one connection. */
export class Prepared {
  readonly #connection: DriverConnection;
  readonly #most: number;
  readonly #statements = new Map<string, DriverStatement>();

  /** `most` statements are kept. */
  constructor(connection: DriverConnection, most: number) {
    this.#connection = connection;
    this.#most = most;
  }

  /** The statement of a text that has been prepared. */
  get(text: string): DriverStatement | undefined {
    return this.#statements.get(text);
  }

  /** Prepares what is not prepared yet. */
  async add(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      if (this.#statements.has(text)) continue;
      this.#statements.set(text, await this.#connection.prepare(text));
    }
    // Those that were prepared first, but none of these.
    for (const [text, statement] of this.#statements) {
      if (this.#statements.size <= this.#most) break;
      if (texts.includes(text)) continue;
      this.#statements.delete(text);
      statement.close();
    }
  }
}
