/** A look at serialized messages that somebody else is to read. */
import type { StoreOptions, UnreadMessage } from '../../protocol/protocol.ts';
import { Message } from '../../message/message.ts';

/** What a serialized message says about itself; undefined for bytes that are none. */
export function unreadOf(bytes: Uint8Array, options: StoreOptions): UnreadMessage | undefined {
  try {
    const { id, from, to, stamp } = Message.fromWire(
      options.serializer.deserialize(bytes, options.limits.maxMessageBytes),
    );
    return { id, from, to, stamp };
  } catch {
    // Whoever reads it will be told; here only messages are listed.
    return undefined;
  }
}

/** Stamp and order within the stamp of a serialized message; undefined for bytes that are none. */
export function stampOf(bytes: Uint8Array, options: StoreOptions): readonly [number, number] | undefined {
  try {
    const { stamp, stampOrd } = Message.fromWire(options.serializer.deserialize(bytes, options.limits.maxMessageBytes));
    return [stamp, stampOrd];
  } catch {
    // Order among what is no message does not matter.
    return undefined;
  }
}
