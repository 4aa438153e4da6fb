/** In a started process: notices that the one who started it has gone. */
import { systemCode } from '../errors.ts';
import { loadNative } from '../native/native.ts';
import { controlDescriptor } from './frames.ts';

/** Milliseconds after which a process that is not ready yet begins to watch. */
const patience = 500;

/** Watches the private pipe, whose end means that the starter has gone or has let go. */
export class StarterWatch {
  readonly #grace: number;
  readonly #controller = new AbortController();
  readonly #timer = setTimeout(() => this.begin(), patience).unref();
  #watching = false;

  /** `grace`: milliseconds after which this process is ended, should it not end by itself when its starter has gone. */
  constructor(grace: number) {
    this.#grace = grace;
  }

  /** Aborts when the starter has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Begins to watch, if it has not; a start that is quick does so when it is done. Nothing of it holds the process. */
  begin(): void {
    clearTimeout(this.#timer);
    if (this.#watching) return;
    this.#watching = true;
    // An event loop that is blocked would never learn of it.
    loadNative()?.endWith(controlDescriptor, this.#grace);
    // Takes a moment, which whoever waits for this process's first answer shall not wait for.
    setImmediate(() => this.#listen());
  }

  #listen(): void {
    const { Socket } = process.getBuiltinModule('node:net');
    const socket = new Socket({ fd: controlDescriptor, readable: true, writable: false });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      // The same without the native part, as long as the event loop turns.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), this.#grace).unref();
      this.#controller.abort();
    });
    socket.resume();
    socket.unref();
    // It is the starter that reads the stderr of this process: what is said after its end is no reason to die of.
    process.stderr.on('error', (error) => {
      if (systemCode(error) !== 'EPIPE') throw error;
    });
  }
}
