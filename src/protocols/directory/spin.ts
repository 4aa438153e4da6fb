/**
 * The opt-in spin: asking a descriptor again and again, with sched_yield(2) in between, for some microseconds before going
 * to sleep. Waking a sleeping processor costs some 20 µs, which is most of a round trip.
 *
 * It limits itself: after eight fruitless tries in a row it rests, until a message comes so soon after a wait began that
 * spinning would be worth it again. So a busy exchange spins, and a message now and then costs nothing.
 */
import { IpcError, quote } from '../../errors.ts';
import type { Native } from '../../native/native.ts';

/** Fruitless tries in a row after which it rests. */
const mostFruitless = 8;

/** A message that comes within so many spins after the beginning of a wait wakes it up again. */
const near = 4;

/** Longest spin in microseconds: the event loop does nothing else meanwhile. */
const longest = 10_000;

/** The option `spin` in microseconds. Throws `IPCM_INVALID_OPTION`. */
export function spinOption(protocolOptions: Readonly<Record<string, unknown>>): number {
  const { spin = 0 } = protocolOptions;
  if (typeof spin === 'number' && spin >= 0 && spin <= longest) return Math.floor(spin);
  const text = `protocolOptions.spin is a number of microseconds from 0 to ${longest}, not ${quote(spin)}`;
  throw new IpcError('IPCM_INVALID_OPTION', text);
}

/** The spin of one connection. */
export class Spin {
  readonly #native: Native | undefined;
  readonly #microseconds: number;
  #fruitless = mostFruitless;
  #waitBegan = Number.NEGATIVE_INFINITY;

  constructor(native: Native | undefined, microseconds: number) {
    this.#native = microseconds > 0 ? native : undefined;
    this.#microseconds = microseconds;
  }

  /** True when the descriptor has become readable. */
  try(fd: number): boolean {
    if (this.#native === undefined) return false;
    if (this.#fruitless < mostFruitless) {
      if (this.#native.spin(fd, this.#microseconds)) {
        this.#fruitless = 0;
        return true;
      }
      this.#fruitless++;
    }
    this.#waitBegan = performance.now();
    return false;
  }

  /** A message was received. */
  received(): void {
    if (this.#native === undefined || this.#fruitless < mostFruitless) return;
    if ((performance.now() - this.#waitBegan) * 1000 < near * this.#microseconds) this.#fruitless = 0;
  }
}
