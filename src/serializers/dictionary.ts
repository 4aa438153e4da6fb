/** The dictionaries of zstd: whether this runtime knows them, and how one is read. */
import { readFileSync } from 'node:fs';
import { IpcError, quote, systemCode } from '../errors.ts';
import { zlib } from './zlib.ts';

let known: boolean | undefined;

/** True where node:zlib knows the option `dictionary`; older ones ignore it, so what it does has to be seen, once. */
export function knowsDictionaries(): boolean {
  if (known !== undefined) return known;
  const sample = Buffer.from(Array.from({ length: 256 }, (_, index) => (index * 167 + (index >> 3)) & 255));
  known = zlib().zstdCompressSync(sample, { dictionary: sample }).length < sample.length / 2;
  return known;
}

function unusable(path: string, what: string, cause?: unknown): IpcError {
  return new IpcError('IPCM_INVALID_OPTION', `serializer JSON::Zstd: dictionary ${quote(path)} ${what}`, { cause });
}

/**
 * The dictionary at `path`. Throws `IPCM_INVALID_OPTION` where it cannot be read, is corrupt, or is empty, which would
 * silently mean none.
 */
export function readDictionary(path: string): Buffer {
  let dictionary: Buffer;
  try {
    dictionary = readFileSync(path);
  } catch (cause) {
    const reason = systemCode(cause) ?? String(cause);
    throw unusable(path, `cannot be read (${reason}); every process on the bus needs it`, cause);
  }
  if (dictionary.length === 0) throw unusable(path, 'is empty');
  try {
    zlib().zstdCompressSync('', { dictionary });
  } catch (cause) {
    throw unusable(path, 'is corrupt; make it with zstd --train', cause);
  }
  return dictionary;
}

/** A dictionary made by `zstd --train` has an id (RFC 8878, section 5); any other file is raw content and has none. */
export function dictionaryId(dictionary: Buffer | undefined): number {
  if (dictionary === undefined || dictionary.length < 8 || dictionary.readUInt32LE(0) !== 0xec30a437) return 0;
  return dictionary.readUInt32LE(4);
}
