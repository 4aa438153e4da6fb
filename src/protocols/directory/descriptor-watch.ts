/**
 * Wakes who waits until a descriptor can be read: by the native part's poller, else by inotify (a FIFO's file tells of
 * writes like any other), else every few milliseconds.
 *
 * The poller calls in every turn of the event loop in which there is something to read. It is not stopped at the first call,
 * which would cost a system call each time: who was woken reads at once as a rule. Only when the second call finds that
 * nobody has emptied the descriptor meanwhile is it stopped, until somebody has.
 */
import { readable, type Native, type Poller } from '../../native/native.ts';
import { poll, watchDirectory } from './watch.ts';

/** One watch, for a connection's life, begun when somebody first waits. Never keeps the process alive. */
export class DescriptorWatch {
  readonly #fd: number;
  readonly #path: string;
  readonly #native: Native | undefined;
  /** Made anew with each change: who is woken may wait again at once, and is not among those who are woken now. */
  #wakers: readonly (() => void)[] = [];
  #poller: Poller | undefined;
  #polling = false;
  #told = false;
  #quiet = false;
  #end: (() => void) | undefined;

  constructor(fd: number, path: string, native: Native | undefined) {
    this.#fd = fd;
    this.#path = path;
    this.#native = native;
  }

  /** Calls `wake` when something may have arrived; returns how to stop. */
  add(wake: () => void): () => void {
    // A waker of its own each time: the same function may wait twice.
    const waker = (): void => wake();
    this.#wakers = [...this.#wakers, waker];
    this.#start();
    return () => {
      this.#wakers = this.#wakers.filter((other) => other !== waker);
      if (this.#wakers.length === 0) this.#pause();
    };
  }

  /** Wakes everybody. */
  wake(): void {
    for (const waker of this.#wakers) waker();
  }

  /** True while the poller watches and has said nothing since the descriptor was emptied: what comes it will tell. */
  get quiet(): boolean {
    return this.#quiet && this.#polling;
  }

  /** Something came of which the poller has not told yet. */
  rang(): void {
    this.#quiet = false;
  }

  /** The descriptor has been emptied: what comes from now on is news. */
  emptied(): void {
    this.#told = false;
    this.#quiet = true;
    if (!this.#polling && this.#wakers.length > 0 && this.#poller !== undefined) this.#start();
  }

  close(): void {
    this.#wakers = [];
    this.#pause();
    this.#poller?.close();
    this.#poller = undefined;
  }

  #start(): void {
    if (this.#polling || this.#end !== undefined) return;
    if (this.#native === undefined) {
      const linux = process.platform === 'linux';
      this.#end = (linux ? watchDirectory(this.#path, () => this.wake()) : undefined) ?? poll(() => this.wake());
      return;
    }
    const poller = this.#open(this.#native);
    if (poller === undefined) {
      this.#end = poll(() => this.wake());
      return;
    }
    this.#polling = true;
    poller.start(readable, (events) => this.#called(events));
  }

  #open(native: Native): Poller | undefined {
    try {
      this.#poller ??= new native.Poller(this.#fd).unref();
    } catch {
      // Out of descriptors: the timer does until nobody waits, and then it is tried again.
      return undefined;
    }
    return this.#poller;
  }

  #called(events: number): void {
    this.#quiet = false;
    if (events < 0) this.#polling = false;
    if (!this.#told) {
      this.#told = true;
      this.wake();
    } else if (this.#polling) {
      this.#pause();
    }
  }

  #pause(): void {
    this.#end?.();
    this.#end = undefined;
    this.#polling = false;
    this.#poller?.stop();
  }
}
