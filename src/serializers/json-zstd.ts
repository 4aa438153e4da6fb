/**
 * The serializer `JSON::Zstd`, the default: JSON in one zstd frame.
 *
 * Every call of node:zlib makes a context, some 11 µs to compress and 7 µs to decompress however short the text, on top of
 * 1 µs for the JSON of 250 bytes. So text up to {@link storedUpTo} is written as a stored block, and such blocks, also the
 * reference implementation's, are read without the decompressor.
 */
import { constants as bufferLimits } from 'node:buffer';
import { resolve } from 'node:path';
import type { ZstdOptions } from 'node:zlib';
import { IpcError, quote, systemCode } from '../errors.ts';
import { dictionaryId, knowsDictionaries, readDictionary } from './dictionary.ts';
import { fromJsonBytes, toAsciiJson, tooLarge } from './json-text.ts';
import type { Serializer, SerializerModule, SerializerSpec } from './serializer.ts';
import { hasZstd, zlib } from './zlib.ts';
import { readFrameHeader, storedContent, storedFrame } from './zstd-frame.ts';
import type { FrameHeader } from './zstd-frame.ts';

/**
 * Longest JSON, in bytes, that is stored instead of compressed. Encode and decode of 230 bytes take 2 µs stored and 20 µs
 * compressed, of 2 KB 18 and 46 µs (saving 1.6 KB), of 4 KB 35 and 68 µs, of 64 KB as plain JSON 555 and compressed 790 µs.
 */
export const storedUpTo = 2048;

/** A window this large must be readable whatever the limit for content (RFC 8878, section 3.1.1.1.2, recommends it). */
const leastWindow = 8 * 1024 * 1024;

const className = 'IPC::Manager::Serializer::JSON::Zstd';
const otherwise = 'use serializer JSON instead';

function unviable(options: Readonly<Record<string, unknown>>): string | undefined {
  if (!hasZstd()) {
    return `it needs Node >= 22.15 for zstd in node:zlib, and this is ${process.version}; ${otherwise}`;
  }
  if (options['dictionary'] === undefined) return undefined;
  if (knowsDictionaries()) return undefined;
  return `its option dictionary needs Node >= 22.19 or >= 24.6, and this is ${process.version}; leave it out, or ${otherwise}`;
}

function invalid(what: string): IpcError {
  return new IpcError('IPCM_INVALID_OPTION', `serializer JSON::Zstd: ${what}`);
}

function checkLevel(value: unknown): number {
  // Other implementations may write their numbers as strings.
  const level = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof level === 'number' && Number.isInteger(level) && level >= 1 && level <= 22) return level;
  throw invalid(`level is ${quote(value)}, but must be an integer from 1 (fast) to 22 (small)`);
}

class JsonZstd implements Serializer {
  readonly name = 'JSON::Zstd';
  readonly spec: SerializerSpec;
  readonly #level: number;
  #options: ZstdOptions | undefined;
  readonly #dictionary: Buffer | undefined;
  readonly #dictionaryId: number;

  constructor(spec: SerializerSpec, level: number, dictionary: Buffer | undefined) {
    this.spec = spec;
    this.#dictionary = dictionary;
    this.#dictionaryId = dictionaryId(dictionary);
    this.#level = level;
  }

  serialize(value: unknown): Uint8Array {
    const text = toAsciiJson(value);
    if (text.length <= storedUpTo) return storedFrame(text);
    return zlib().zstdCompressSync(Buffer.from(text, 'latin1'), this.#compressing());
  }

  deserialize(bytes: Uint8Array, limit: number): unknown {
    const header = readFrameHeader(bytes);
    return fromJsonBytes(storedContent(bytes, header) ?? this.#decompress(bytes, header, limit), limit);
  }

  #compressing(): ZstdOptions {
    if (this.#options !== undefined) return this.#options;
    const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = zlib().constants;
    const params: Record<number, number> = { [ZSTD_c_compressionLevel]: this.#level };
    // Another raw dictionary would decompress to garbage without a word; the checksum finds it out.
    if (this.#dictionary !== undefined) params[ZSTD_c_checksumFlag] = 1;
    this.#options = this.#dictionary === undefined ? { params } : { params, dictionary: this.#dictionary };
    return this.#options;
  }

  #decompress(bytes: Uint8Array, header: FrameHeader, limit: number): Uint8Array {
    const { contentSize, windowSize } = header;
    const most = Math.max(1, Math.min(limit, bufferLimits.MAX_STRING_LENGTH));
    if (contentSize !== undefined && contentSize > most) throw tooLarge(`${contentSize} bytes, decompressed,`, limit);
    // Else a frame of 20 bytes could have us take the largest window, of 128 MB.
    if (windowSize > Math.max(most, leastWindow)) throw tooLarge(`a zstd window of ${windowSize} bytes`, limit);
    const wanted = header.dictionaryId;
    if (wanted !== 0 && wanted !== this.#dictionaryId) throw this.#malformed(bytes, header);
    const options: ZstdOptions = { maxOutputLength: most };
    // Room for all of it at once saves a third of the time at 64 KB. It is not touched, hence not taken, beyond what comes.
    if (contentSize !== undefined) options.chunkSize = Math.max(64, contentSize + 1);
    if (this.#dictionary !== undefined) options.dictionary = this.#dictionary;
    try {
      return zlib().zstdDecompressSync(bytes, options);
    } catch (cause) {
      if (systemCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(`more than ${most} bytes, decompressed,`, limit);
      throw this.#malformed(bytes, header, cause);
    }
  }

  #malformed(bytes: Uint8Array, header: FrameHeader, cause?: unknown): IpcError {
    const own = this.#dictionaryId;
    const ours = this.#dictionary === undefined ? 'has none' : own === 0 ? 'has a raw one' : `has dictionary ${own}`;
    const remedy = 'give every process on the bus the same dictionary file';
    const { dictionaryId: id } = header;
    if (id !== 0 && id !== own) {
      const what = `a zstd frame made with dictionary ${id}, but this serializer ${ours}: ${remedy}`;
      return new IpcError('IPCM_MALFORMED_MESSAGE', what, { cause });
    }
    const reason = cause instanceof Error ? cause.message : 'unreadable';
    // A raw dictionary leaves no id in the frame, so it may be the reason of any failure.
    const hint = id !== 0 ? '' : `, or made with another dictionary (this serializer ${ours}): ${remedy}`;
    const what = `a zstd frame of ${bytes.length} bytes that is corrupt (${reason})${hint}`;
    return new IpcError('IPCM_MALFORMED_MESSAGE', what, { cause });
  }
}

/**
 * `JSON::Zstd`, with options `level` (1 to 22, default 3) and `dictionary` (path of a file, read once, here). `create`
 * throws `IPCM_NOT_VIABLE` where node:zlib has no zstd, `IPCM_INVALID_OPTION` for other options and unusable values.
 */
export const serializer: SerializerModule = {
  name: 'JSON::Zstd',
  unviable,
  create(options) {
    let level = 3;
    let path: string | undefined;
    const spec: [string, ...unknown[]] = [className];
    for (const [key, value] of Object.entries(options)) {
      if (key === 'level') {
        level = checkLevel(value);
        spec.push(key, level);
      } else if (key === 'dictionary') {
        if (typeof value !== 'string' || value === '')
          throw invalid(`dictionary is ${quote(value)}, but must be a path`);
        // Absolute, as other processes read the spec, whose working directory may be another.
        path = resolve(value);
        spec.push(key, path);
      } else throw invalid(`there is no option ${quote(key)}, only level and dictionary`);
    }
    const reason = unviable(options);
    if (reason !== undefined) throw new IpcError('IPCM_NOT_VIABLE', `serializer JSON::Zstd is not viable: ${reason}`);
    return new JsonZstd(
      spec.length === 1 ? className : spec,
      level,
      path === undefined ? undefined : readDictionary(path),
    );
  },
};

export default serializer;
