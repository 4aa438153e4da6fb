/** What is kept for somebody who may never ask for it: so much of it, and then the oldest goes, with a warning the first time. */
import { IpcError, warn } from '../errors.ts';

/** A bounded map, in the order in which things came. */
export class Kept<Key, Value> extends Map<Key, Value> {
  readonly #most: number;
  readonly #complaint: string;
  #complained = false;

  /** Keeps `most` things; `complaint` says what they are, who has them, and what to do about it. */
  constructor(most: number, complaint: string) {
    super();
    this.#most = most;
    this.#complaint = complaint;
  }

  override set(key: Key, value: Value): this {
    super.set(key, value);
    if (this.size > this.#most) this.#drop();
    return this;
  }

  #drop(): void {
    for (const oldest of this.keys()) {
      this.delete(oldest);
      break;
    }
    if (this.#complained) return;
    this.#complained = true;
    const text = `more than ${this.#most} ${this.#complaint}; the oldest are dropped from now on`;
    warn(new IpcError('IPCM_UNREAD_MESSAGES', text));
  }
}
