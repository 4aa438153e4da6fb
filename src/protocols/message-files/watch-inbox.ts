/**
 * One watch on the inbox for the connection's life, started when somebody first waits. Half of the events are the removals
 * of what this connection has read itself, which wake nobody.
 */
import { basename } from 'node:path';
import { poll, watchDirectory } from '../directory/watch.ts';
import { ready } from './names.ts';

/** So many names of consumed files are remembered, and as many before them: the cost of a forgotten one is a needless look. */
const mostConsumed = 4096;

/** Wakes who waits for messages. */
export class InboxWatch {
  readonly #path: string;
  readonly #ready: () => boolean;
  readonly #wakers = new Set<() => void>();
  #consumed = new Set<string>();
  #consumedBefore = new Set<string>();
  #waking: NodeJS.Immediate | undefined;
  #end: (() => void) | undefined;
  #watching = false;

  /** `ready` says whether there is something to read, for where the system cannot tell. */
  constructor(path: string, ready: () => boolean) {
    this.#path = path;
    this.#ready = ready;
  }

  /** Calls `wake` when something may have arrived; returns how to stop. */
  add(wake: () => void): () => void {
    // A waker of its own each time: the same function may wait twice.
    const waker = (): void => wake();
    this.#wakers.add(waker);
    this.#start();
    return () => {
      this.#wakers.delete(waker);
      if (this.#wakers.size === 0 && !this.#watching) this.#stop();
    };
  }

  /** Wakes everybody. */
  wake(): void {
    // Those of now: who is woken may wait again at once.
    const wakers = [...this.#wakers];
    for (const waker of wakers) waker();
  }

  /** A file that this connection removes itself. */
  consumed(name: string): void {
    if (!this.#watching) return;
    if (this.#consumed.size >= mostConsumed) {
      this.#consumedBefore = this.#consumed;
      this.#consumed = new Set();
    }
    this.#consumed.add(name);
  }

  close(): void {
    this.#stop();
    this.#wakers.clear();
    this.#consumed.clear();
    this.#consumedBefore.clear();
  }

  #start(): void {
    if (this.#end !== undefined) return;
    const folder = basename(this.#path);
    this.#end = watchDirectory(this.#path, (file) => {
      if (this.#wakers.size === 0) return;
      if (file !== null && (this.#isConsumed(file) || !(file.endsWith(ready) || file === folder))) return;
      this.#wakeSoon();
    });
    this.#watching = this.#end !== undefined;
    this.#end ??= poll(() => {
      if (this.#somethingThere()) this.wake();
    });
  }

  /** Once for all events that the kernel hands over together: readers would look in vain after each but the first. */
  #wakeSoon(): void {
    this.#waking ??= setImmediate(() => {
      this.#waking = undefined;
      this.wake();
    }).unref();
  }

  #isConsumed(file: string): boolean {
    return this.#consumed.has(file) || this.#consumedBefore.has(file);
  }

  #somethingThere(): boolean {
    try {
      return this.#ready();
    } catch {
      // The store is gone: whoever waits finds out by reading.
      return true;
    }
  }

  #stop(): void {
    clearImmediate(this.#waking);
    this.#waking = undefined;
    this.#end?.();
    this.#end = undefined;
    this.#watching = false;
  }
}
