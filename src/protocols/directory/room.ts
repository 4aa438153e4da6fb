/**
 * Waiting until a full descriptor takes more: woken by the kernel where the native part can ask it, else by trying again
 * after 1 ms, then 2, 4, 8, 10. While a send waits, the process stays alive.
 */
import { writable, type Native, type Poller } from '../../native/native.ts';

/** Longest pause between two tries, in milliseconds. */
const longestPause = 10;

/** Room in one descriptor. */
export class Room {
  readonly #fd: number;
  readonly #native: Native | undefined;
  #poller: Poller | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = 1;
  #promise: Promise<void> | undefined;
  #resolve: (() => void) | undefined;

  constructor(fd: number, native: Native | undefined) {
    this.#fd = fd;
    this.#native = native;
  }

  /** Resolves when there may be room, when the reader has gone, and when closed: trying again tells which. */
  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
      const poller = this.#open();
      if (poller !== undefined) {
        poller.start(writable, () => this.#settle());
        return;
      }
      this.#timer = setTimeout(() => this.#settle(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, longestPause);
    });
    return this.#promise;
  }

  /** Something was taken: the next pause is a short one again. */
  reset(): void {
    this.#pause = 1;
  }

  /** True while somebody waits. */
  get waiting(): boolean {
    return this.#promise !== undefined;
  }

  close(): void {
    this.#settle();
    this.#poller?.close();
    this.#poller = undefined;
  }

  #open(): Poller | undefined {
    if (this.#poller !== undefined || this.#native === undefined) return this.#poller;
    try {
      this.#poller = new this.#native.Poller(this.#fd);
    } catch {
      // Out of descriptors: the timer does for this time.
      return undefined;
    }
    return this.#poller;
  }

  #settle(): void {
    this.#poller?.stop();
    clearTimeout(this.#timer);
    const resolve = this.#resolve;
    this.#resolve = this.#promise = undefined;
    resolve?.();
  }
}
