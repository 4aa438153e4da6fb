/** What turns values into bytes on the bus, and back. */

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
   * throws `IPCM_MALFORMED_MESSAGE` or `IPCM_MESSAGE_TOO_LARGE`.
   */
  deserialize(bytes: Uint8Array, limit: number): unknown;
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
