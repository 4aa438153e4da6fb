/** In a started process: notices that the one who started it has gone. */
import { readSync } from 'node:fs';
import { systemCode } from '../errors.ts';
import { loadNative, readable, type Native } from '../native/native.ts';
import { controlDescriptor } from './frames.ts';

/** Milliseconds after which a process that is not ready yet begins to watch. */
const patience = 500;
/** The same for what ends it by force: the time that it has is known only when its module has been imported. */
const longPatience = 10_000;

/** Watches the private pipe, whose end means that the starter has gone or has let go. */
export class StarterWatch {
  readonly #daemon: boolean;
  readonly #controller = new AbortController();
  readonly #timers = [
    setTimeout(() => this.#watch(), patience).unref(),
    setTimeout(() => this.begin(), longPatience).unref(),
  ];
  #grace: number;
  #watching = false;
  #forcing = false;

  /**
   * `grace`: milliseconds after which this process is ended, should it not end by itself when its starter has gone. A daemon
   * minds only until it is told that it is kept.
   */
  constructor(grace: number, daemon: boolean) {
    this.#grace = grace;
    this.#daemon = daemon;
  }

  /** So many milliseconds it is instead. */
  set grace(milliseconds: number) {
    this.#grace = milliseconds;
    if (this.#watching) this.begin();
  }

  /** Aborts when the starter has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Begins to watch, if it has not; a start that is quick does so when it is done. Nothing of it holds the process. */
  begin(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#watch();
    if (this.#forcing) return;
    this.#forcing = true;
    // An event loop that is blocked would never learn of it. It cannot be taken back, as it would have to be for a daemon.
    if (!this.#daemon) loadNative()?.endWith(controlDescriptor, this.#grace);
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    whenClosed(loadNative(), this.#daemon, () => {
      // The same without the native part, as long as the event loop turns.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), this.#grace).unref();
      this.#controller.abort();
    });
  }
}

/** Calls back when nobody holds the other end of the private pipe any more; not once something came, if that `frees`. */
function whenClosed(native: Native | undefined, frees: boolean, closed: () => void): void {
  if (native === undefined) {
    const { Socket } = process.getBuiltinModule('node:net');
    const socket = new Socket({ fd: controlDescriptor, readable: true, writable: false });
    socket.on('error', () => undefined);
    socket.once('close', closed);
    socket.on('data', () => {
      if (frees) socket.off('close', closed).destroy();
    });
    socket.unref();
    return;
  }
  // A socket of Node's brings all streams along, which whoever waits for this process's first answer would wait for.
  const poller = new native.Poller(controlDescriptor).unref();
  const rest = Buffer.alloc(1024);
  poller.start(readable, () => {
    try {
      // What is said to a process that has been told what to be means nothing, or that a daemon is kept.
      if (readSync(controlDescriptor, rest) > 0) {
        if (frees) poller.close();
        return;
      }
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return;
      // ECONNRESET, for one: who was there has left something unread.
    }
    poller.close();
    closed();
  });
}

/**
 * It is the starter that reads the stderr of this process: what is said after its end is no reason to die of. To be called
 * before anything is said; `process.stderr` is made by Node when it is first asked for, and so it stays.
 */
export function guardStderr(): void {
  const made = Object.getOwnPropertyDescriptor(process, 'stderr');
  if (made === undefined) return;
  const get = (): typeof process.stderr => {
    Object.defineProperty(process, 'stderr', made);
    process.stderr.on('error', (error) => {
      if (systemCode(error) !== 'EPIPE') throw error;
    });
    return process.stderr;
  };
  Object.defineProperty(process, 'stderr', { ...made, get });
}
