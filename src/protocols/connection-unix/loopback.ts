/** Messages that a client sends to itself, and those that it puts back: they need no socket. */
import type { Delivery, Incoming, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';

/** Bytes that a client may have waiting for itself. */
const most = 1024 * 1024;

/** A queue in memory, bounded for what is sent and open for what is put back. */
export class Loopback {
  #sent: Uint8Array[] = [];
  #bytes = 0;
  #back: Uint8Array[] = [];
  #room: PromiseWithResolvers | undefined;

  /** True when there is something to take. */
  get ready(): boolean {
    return this.#back.length > 0 || this.#sent.length > 0;
  }

  /** Takes messages to oneself as long as there is room. */
  deliver(batch: readonly Outgoing[]): Delivery {
    let taken = 0;
    for (const { bytes, place } of batch) {
      if (this.#sent.length > 0 && this.#bytes + bytes.length > most) {
        this.#room ??= withResolvers();
        return { taken, blocked: this.#room.promise };
      }
      this.#bytes += bytes.length;
      // What has a place there is written over once it is taken.
      this.#sent.push(place === undefined ? bytes : Uint8Array.prototype.slice.call(bytes));
      taken++;
    }
    return { taken };
  }

  /** Puts messages back: they come before all others, in the order in which they were put back. */
  requeue(messages: readonly Outgoing[]): void {
    this.#back.push(...messages.map(({ bytes }) => bytes));
  }

  /** Moves messages into `into`, those put back first; returns their bytes, Infinity at the limit. */
  take(limit: ReceiveLimit, into: Incoming[]): number {
    let used = 0;
    for (const queue of [this.#back, this.#sent]) {
      let taken = 0;
      for (const bytes of queue) {
        if (into.length >= limit.messages || (into.length > 0 && used + bytes.length > limit.bytes)) break;
        used += bytes.length;
        if (queue === this.#sent) this.#bytes -= bytes.length;
        into.push({ bytes });
        taken++;
      }
      queue.splice(0, taken);
      if (queue.length > 0) return Infinity;
    }
    this.#room?.resolve();
    this.#room = undefined;
    return used;
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers(): PromiseWithResolvers {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve: () => resolve() };
}
