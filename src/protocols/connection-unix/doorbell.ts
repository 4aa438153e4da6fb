/**
 * Whether the event loop has something to do, asked of the kernel without letting it go round: two turns of the loop cost
 * 7 µs, this one. Only with the native part; without it the answer is always that there may be something.
 */
import { loadNative, type Native } from '../../native/native.ts';
import { Spin } from '../directory/spin.ts';

/** Asks once, or with the option `spin` for a while. */
export class Doorbell {
  readonly #native: Native | undefined = loadNative();
  readonly #descriptor: number;
  readonly #spin: Spin;

  /** `microseconds` of spinning after a message; 0 for none. */
  constructor(microseconds: number) {
    this.#descriptor = this.#native?.loopDescriptor() ?? -1;
    this.#spin = new Spin(this.#native, microseconds);
  }

  /** False when nothing that the event loop watches is ready. */
  rings(): boolean {
    return this.#native === undefined || this.#native.spin(this.#descriptor, 0);
  }

  /** True when something has become ready while we asked on. */
  spin(): boolean {
    return this.#spin.try(this.#descriptor);
  }

  /** A message was received. */
  received(): void {
    this.#spin.received();
  }
}
