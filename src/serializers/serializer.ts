/** What turns values into bytes on the bus, and back. */
import type { Message } from '../message/message.ts';

/** A serializer: bytes of one never reach another, since the bus's info names it. */
export interface Serializer {
  /** Bare name, such as `JSON`; for one of your own whatever you like. */
  readonly name: string;
  /** The serializer element of the connection info: a class name, or `[className, key, value, …]`. */
  readonly spec: SerializerSpec;
  /** The bytes of `value` (a wire form, a content or a stats record). Throws `IPCM_INVALID_CONTENT` if it has none. */
  serialize(value: unknown): Uint8Array;
  /**
   * The value of bytes that anybody may have written. Never takes more memory than `limit` bytes for the decoded text;
   * throws `IPCM_MALFORMED_MESSAGE` or `IPCM_MESSAGE_TOO_LARGE`. Must keep nothing of `bytes`, which are used again.
   */
  deserialize(bytes: Uint8Array, limit: number): unknown;
  /**
   * What writes the messages of one client to another, with ids and stamps of their own, in fewer steps than `serialize` of
   * a message; undefined where it cannot for now. Optional; what it writes `deserialize` reads.
   */
  messageWriter?(from: string, to: string): MessageWriter | undefined;
  /**
   * The message of bytes, as `Message.fromWire` of what `deserialize` returns, in fewer steps. Optional. Throws as both do.
   */
  deserializeMessage?(bytes: Uint8Array, limit: number): Message;
}

/** Writes messages into a buffer: `begin` one, then `finish` it, with nothing in between. */
export interface MessageWriter {
  /** Returns how many bytes `finish` needs. Throws `IPCM_INVALID_CONTENT` for a content that cannot be. */
  begin(content: unknown): number;
  /**
   * Writes the message of that moment (microseconds since the epoch, from `nextMicros`) at `at` and returns the end. Below
   * zero it needs so many bytes after all: finish again with those.
   */
  finish(micros: number, into: Buffer, at: number): number;
}

/** How a serializer stands in the connection info. */
export type SerializerSpec = string | readonly [string, ...unknown[]];

/** What a module for a serializer exports (as `default` or `serializer`): makes an instance from its options. */
export interface SerializerModule {
  /** Bare name. */
  readonly name: string;
  /** Why this runtime cannot carry it, and what to do; undefined where it can. */
  unviable(options: Readonly<Record<string, unknown>>): string | undefined;
  /** A new instance. Throws `IPCM_INVALID_OPTION` or `IPCM_NOT_VIABLE`. */
  create(options: Readonly<Record<string, unknown>>): Serializer;
}
