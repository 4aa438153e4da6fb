/** A message on its way out: its bytes, where they lie, and who waits for it. */
import { Message } from '../message/message.ts';
import type { Outgoing, Place } from '../protocol/protocol.ts';
import type { Serializer } from '../serializers/serializer.ts';
import type { Slab } from './slab.ts';

/** Who waits for a message unless somebody is set. */
export const nobody = (): void => undefined;

/** What an outbox holds and a protocol gets. */
export interface Packet extends Outgoing {
  /** Number of bytes. */
  readonly size: number;
  resolve: () => void;
  reject: (error: unknown) => void;
  /** The store or the kernel has it. */
  taken(): void;
}

/** A message with bytes of its own. */
export class MadePacket implements Packet {
  readonly message: Message;
  readonly bytes: Uint8Array;
  readonly place = undefined;
  readonly size: number;
  resolve: () => void = nobody;
  reject: (error: unknown) => void = nobody;

  constructor(message: Message, bytes: Uint8Array) {
    this.message = message;
    this.bytes = bytes;
    this.size = bytes.length;
  }

  taken(): void {
    this.resolve();
  }
}

/** A message that was written and never made. */
export class WrittenPacket implements Packet, Place {
  readonly buffer: Buffer;
  readonly at: number;
  readonly size: number;
  resolve: () => void = nobody;
  reject: (error: unknown) => void = nobody;
  readonly #serializer: Serializer;
  readonly #slab: Slab | undefined;

  /** Of a slab unless it has a buffer of its own. */
  constructor(serializer: Serializer, buffer: Buffer, at: number, size: number, slab: Slab | undefined) {
    this.buffer = buffer;
    this.at = at;
    this.size = size;
    this.#serializer = serializer;
    this.#slab = slab;
  }

  get place(): Place {
    return this;
  }

  get bytes(): Uint8Array {
    return this.buffer.subarray(this.at, this.at + this.size);
  }

  get message(): Message {
    return Message.fromWire(this.#serializer.deserialize(this.bytes, Infinity));
  }

  /** Its bytes are not needed any more. */
  taken(): void {
    this.#slab?.release();
    this.resolve();
  }
}
