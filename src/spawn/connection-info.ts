/** The connection info: a JSON array of three, ASCII only, that lets any process on any implementation reach a store. */
import { IpcError, quote, withoutSecrets } from '../errors.ts';
import type { SerializerSpec } from '../serializers/serializer.ts';

/** `[protocol, serializer, route]`, as an array. */
export type ConnectionInfo = readonly [protocol: string, serializer: SerializerSpec, route: string];

const remedy = 'it is the JSON array [protocol, serializer, route] that spawn.info or "ipcm spawn" gives';

/** The string of an info. */
export function formatInfo(info: ConnectionInfo): string {
  return JSON.stringify(info).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The parts of an info, given as a string, as an array, or as whatever has it as its string form (a `Spawn`). */
export function parseInfo(call: string, info: unknown): ConnectionInfo {
  const refuse = (why: string, cause?: unknown): never => {
    throw new IpcError('IPCM_INVALID_INFO', `${call}: the connection info ${quote(info)} ${why}; ${remedy}`, { cause });
  };
  let value: unknown = info;
  if (!Array.isArray(info)) {
    if (info === undefined || info === null || info === '') refuse('is empty');
    try {
      value = JSON.parse(String(info));
    } catch (error) {
      // The reason quotes what it does not understand.
      refuse('is not JSON', withoutSecrets(String(info)) === String(info) ? error : undefined);
    }
  }
  if (!Array.isArray(value) || value.length !== 3) return refuse('is not an array of three');
  const [protocol, serializer, route] = value as unknown[];
  if (typeof protocol !== 'string' || protocol === '') return refuse('names no protocol');
  if (typeof route !== 'string' || route === '') return refuse('has no route');
  if (typeof serializer === 'string' && serializer !== '') return [protocol, serializer, route];
  if (Array.isArray(serializer) && typeof serializer[0] === 'string') {
    return [protocol, serializer as unknown as SerializerSpec, route];
  }
  return refuse('names no serializer');
}
