/** The call forms of `sendMessage` and its kin, brought into one: the message to send. */
import { IpcError } from '../errors.ts';
import { Message, type MessageFields } from '../message/message.ts';

/** Fields for a message, the receiver and the content among them. */
export interface SendFields extends MessageFields {
  readonly to: string;
  readonly content: unknown;
}

/**
 * What `sendMessage`, `tryMessage`, `trySendMessage` and `buildMessage` take:
 * - `(peer, content)` and `(peer, content, fields)`
 * - `({to, content, …})`
 * - `(message)` and `(message, overrides)`
 */
export type SendArguments =
  | readonly [peer: string, content: unknown, fields?: MessageFields]
  | readonly [fields: SendFields]
  | readonly [message: Message, overrides?: MessageFields];

/** What `broadcast` takes: content, a message, or a message with other fields. */
export type BroadcastArguments = readonly [content: unknown] | readonly [message: Message, overrides?: MessageFields];

/** The message that a call means, from `client` whatever the fields say. Throws `TypeError` for another form. */
export function messageOf(call: string, client: string, args: SendArguments): Message {
  const [first, second, third] = args;
  const from = client;
  if (typeof first === 'string') return new Message({ ...third, content: second, to: first, from });
  if (first instanceof Message) {
    const message = first.clone({ ...(second as MessageFields | undefined), from });
    return withReceiver(call, message);
  }
  if (typeof first === 'object' && first !== null && 'to' in first && 'content' in first) {
    return withReceiver(call, new Message({ ...first, from }));
  }
  throw new TypeError(`${call} takes (peer, content), (message) or ({to, content}), not ${typeof first}`);
}

/** The fields of a message for copies of it; each copy gets an id and a receiver of its own. */
export function fieldsOf(
  message: Message,
  overrides: MessageFields = {},
): MessageFields & { readonly content: unknown } {
  const { stamp, stampOrd, content } = message;
  return { stamp, stampOrd, content, ...overrides };
}

function withReceiver(call: string, message: Message): Message {
  if (typeof message.to === 'string' && message.to !== '') return message;
  throw new IpcError('IPCM_INVALID_NAME', `${call}: the message has no receiver; set its field "to"`);
}
