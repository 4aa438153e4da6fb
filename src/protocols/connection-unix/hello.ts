/** The first frame from the side that connects: who it is. */
import { IpcError, quote } from '../../errors.ts';
import type { Serializer } from '../../serializers/serializer.ts';
import { checkName } from '../directory/names.ts';

/** Longest hello: a name of 65,536 bytes, each of them escaped, and some. */
export const longestHello = 512 * 1024;

/** The hello of a client. */
export function formatHello(name: string, serializer: Serializer): Uint8Array {
  return serializer.serialize({ hello: name });
}

/** The name in a hello. Throws `IPCM_MALFORMED_MESSAGE`. */
export function parseHello(bytes: Uint8Array, serializer: Serializer): string {
  let value: unknown;
  try {
    value = serializer.deserialize(bytes, longestHello);
    const name = typeof value === 'object' && value !== null && 'hello' in value ? value.hello : undefined;
    checkName(name);
    return name;
  } catch (cause) {
    const what = value === undefined ? `${bytes.length} bytes that cannot be read` : quote(value);
    throw new IpcError('IPCM_MALFORMED_MESSAGE', `the first frame is no {"hello":NAME} but ${what}`, { cause });
  }
}
