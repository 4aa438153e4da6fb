import { within } from '../launch/timer.ts';

/** Work of a service that has begun and is not done: its end waits for it. */
export class InHand {
  readonly #work = new Set<Promise<void>>();
  #wake: (() => void) | undefined;

  /** Takes work in; it never rejects. */
  add(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }

  /** Something has changed that somebody may wait for who is not in here, such as an answer. */
  changed(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when nothing is in hand and `others()` is true as well, when `isOver()` is, or after so many milliseconds. */
  async finish(others: () => boolean, isOver: () => boolean, timeout: number): Promise<void> {
    const end = performance.now() + timeout;
    while (this.#work.size > 0 || !others()) {
      const left = end - performance.now();
      if (left <= 0 || isOver()) return;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      await within(left, Promise.race([woken, ...this.#work]));
    }
  }
}
