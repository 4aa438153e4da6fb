/** The serializer `JSON`: readable on the wire, no options, needs nothing. */
import { IpcError } from '../errors.ts';
import { fromJsonBytes, toAsciiJson } from './json-text.ts';
import type { Serializer, SerializerModule } from './serializer.ts';

const json: Serializer = {
  name: 'JSON',
  spec: 'IPC::Manager::Serializer::JSON',
  serialize: (value) => Buffer.from(toAsciiJson(value), 'latin1'),
  deserialize: fromJsonBytes,
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
