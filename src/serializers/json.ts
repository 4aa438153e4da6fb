/** The serializer `JSON`: readable on the wire, no options, needs nothing. */
import { IpcError } from '../errors.ts';
import { fromJsonBytes, toAsciiJson } from './json-text.ts';
import { Message } from '../message/message.ts';
import { learnPair, readJsonMessage } from './json-reader.ts';
import { JsonWriter } from './json-writer.ts';
import type { Serializer, SerializerModule } from './serializer.ts';

function readMessage(bytes: Uint8Array, limit: number): Message {
  const short = bytes.length > limit ? undefined : readJsonMessage(bytes);
  if (short !== undefined) return short;
  const message = Message.fromWire(fromJsonBytes(bytes, limit));
  learnPair(message.from, message.to);
  return message;
}

const json: Serializer = {
  name: 'JSON',
  spec: 'IPC::Manager::Serializer::JSON',
  serialize: (value) => Buffer.from(toAsciiJson(value), 'latin1'),
  deserialize: fromJsonBytes,
  // A clock from before 2001, whose seconds have fewer digits, takes the long way.
  messageWriter: (from, to) => (Date.now() < 1e12 ? undefined : new JsonWriter(from, to)),
  deserializeMessage: readMessage,
};

/** `JSON`: ASCII-only JSON. `create` throws `IPCM_INVALID_OPTION` for any option, as there are none. */
export const serializer: SerializerModule = {
  name: 'JSON',
  unviable: () => undefined,
  create(options) {
    const [unknown] = Object.keys(options);
    if (unknown === undefined) return json;
    throw new IpcError(
      'IPCM_INVALID_OPTION',
      `serializer JSON has no options, so not ${JSON.stringify(unknown)} either`,
    );
  },
};

export default serializer;
