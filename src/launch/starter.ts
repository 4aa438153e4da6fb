/** In a started process: notices that the one who started it has gone. */
import { controlDescriptor } from './frames.ts';

/** Milliseconds after which a process that is not ready yet begins to watch. */
const patience = 500;

/** Watches the private pipe, whose end means that the starter has gone or has let go. */
export class StarterWatch {
  readonly #controller = new AbortController();
  readonly #timer = setTimeout(() => this.begin(), patience).unref();
  #watching = false;

  /** Aborts when the starter has gone. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Begins to watch, if it has not; a start that is quick does so when it is done. Nothing of it holds the process. */
  begin(): void {
    clearTimeout(this.#timer);
    if (this.#watching) return;
    this.#watching = true;
    const { Socket } = process.getBuiltinModule('node:net');
    const socket = new Socket({ fd: controlDescriptor, readable: true, writable: false });
    socket.on('error', () => undefined);
    socket.once('close', () => this.#controller.abort());
    socket.resume();
    socket.unref();
  }
}
