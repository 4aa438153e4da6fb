/**
 * A connection whose server has fallen silent: stopped, or cut off without a word. The system would notice after a quarter of an
 * hour, or never.
 *
 * A statement may take long for good reasons (it waits for a lock, or removes a million rows), so silence alone says nothing:
 * whoever is silent is asked over another connection, and only where that is not answered either the first one is ended.
 */
import type { Result } from '../sql/query.ts';
import type { Bound, Hints, Link } from './database.ts';

/** Milliseconds without an answer after which the server is asked. */
const silence = 5000;
/** How often that is looked at, in milliseconds. */
const interval = 1000;

/** Tells of a link's silence. */
export class HeardLink implements Link {
  readonly hints: Hints | undefined;
  readonly #link: Link;
  readonly #silent: (since: number) => Promise<unknown>;
  #pending = 0;
  /** When an answer came last, or was first waited for. */
  #heard = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `silent` is called when the server is; again a while after it has resolved. */
  constructor(link: Link, silent: (since: number) => Promise<unknown>) {
    this.#link = link;
    this.#silent = silent;
    const { hints } = link;
    this.hints =
      hints === undefined
        ? undefined
        : {
            listen: (channel) => this.#wait(hints.listen(channel)),
            unlisten: (channel) => this.#wait(hints.unlisten(channel)),
            onHint: (listener) => hints.onHint(listener),
          };
  }

  get tag(): string {
    return this.#link.tag;
  }

  get longestList(): number | undefined {
    return this.#link.longestList;
  }

  get direct(): boolean {
    return this.#link.direct === true;
  }

  run(bound: Bound): Promise<Result> {
    return this.#wait(this.#link.run(bound));
  }

  runSync(bound: Bound, milliseconds: number): Result | undefined {
    return this.#pending > 0 && !this.direct ? undefined : this.#link.runSync?.(bound, milliseconds);
  }

  onLost(listener: () => void): void {
    this.#link.onLost(listener);
  }

  hold(yes: boolean): void {
    this.#link.hold(yes);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #wait<T>(answer: Promise<T>): Promise<T> {
    if (this.#pending++ === 0) this.#heard = performance.now();
    // One timer for many statements: it ends by itself, the next statement begins another.
    this.#timer ??= setInterval(() => this.#look(), interval).unref();
    const heard = (): void => {
      this.#pending--;
      this.#heard = performance.now();
    };
    answer.then(heard, heard);
    return answer;
  }

  #look(): void {
    if (this.#pending > 0 && performance.now() - this.#heard < silence) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#pending === 0) return;
    // What came while this process was busy is heard first.
    setImmediate(() => {
      const since = this.#heard;
      const again = (): void => {
        if (this.#pending > 0) this.#timer ??= setInterval(() => this.#look(), interval).unref();
      };
      if (this.#pending === 0 || performance.now() - since < silence) again();
      else void this.#silent(since).then(again, again);
    });
  }
}
