/**
 * Zstandard frames (RFC 8878), as far as they can be written and read without a compressor.
 *
 * A call into the compressor costs 10 to 25 µs, a small message as JSON one. A frame whose one block is
 * *stored* is valid zstd for every reader and costs a few dozen nanoseconds. The header of any other frame tells
 * beforehand how much memory its decompression would take, and a walk over its blocks whether it is whole.
 */
import { IpcError } from '../errors.ts';

/** What the header of a frame says (RFC 8878, section 3.1.1.1). */
export interface FrameHeader {
  /** Bytes of the header, magic number included: where the first block begins. */
  readonly length: number;
  /** Decompressed size, where the frame declares it. */
  readonly contentSize: number | undefined;
  /** How far back the decompressor must remember, in bytes. */
  readonly windowSize: number;
  /** Id of the dictionary the frame was made with; 0 when it names none. */
  readonly dictionaryId: number;
  /** True when a checksum of the content follows the last block. */
  readonly checksum: boolean;
}

/** Largest block, whatever the window (section 3.1.1.2.4). */
const largestBlock = 128 * 1024;

/** Sizes of the header's fields by their two-bit flags (sections 3.1.1.1.3 and 3.1.1.1.4). */
const idBytes = [0, 1, 2, 4];
const sizeBytes = [0, 2, 4, 8];

function malformed(what: string): IpcError {
  return new IpcError('IPCM_MALFORMED_MESSAGE', `no zstd frame: ${what}`);
}

function uint(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}

/** Reads the header of a frame (section 3.1.1). Throws `IPCM_MALFORMED_MESSAGE` where `bytes` do not begin with one. */
export function readFrameHeader(bytes: Uint8Array): FrameHeader {
  if (bytes.length < 5 || uint(bytes, 0, 4) !== 0xfd2fb528) throw malformed('it does not begin with the magic number');
  // Frame_Header_Descriptor (section 3.1.1.1.1)
  const descriptor = bytes[4] ?? 0;
  if ((descriptor & 0x08) !== 0) throw malformed('a reserved bit is set');
  const singleSegment = (descriptor & 0x20) !== 0;
  const idLength = idBytes[descriptor & 3] ?? 0;
  const sizeLength = sizeBytes[descriptor >> 6] || (singleSegment ? 1 : 0);
  const idAt = singleSegment ? 5 : 6;
  const length = idAt + idLength + sizeLength;
  if (bytes.length < length) throw malformed('it ends within the header');
  // A field of two bytes counts from 256 (section 3.1.1.1.4).
  const size = uint(bytes, idAt + idLength, sizeLength) + (sizeLength === 2 ? 256 : 0);
  // Window_Descriptor (section 3.1.1.1.2); a single segment has none, its window is the content.
  const window = bytes[5] ?? 0;
  const base = 2 ** (10 + (window >> 3));
  return {
    length,
    contentSize: sizeLength === 0 ? undefined : size,
    windowSize: singleSegment ? size : base + (base / 8) * (window & 7),
    dictionaryId: uint(bytes, idAt, idLength),
    checksum: (descriptor & 0x04) !== 0,
  };
}

/**
 * Walks over the blocks (section 3.1.1.2) and returns the content where it needs no decompressor: one stored block and no
 * checksum (that would take XXH64). Undefined for any other frame. The result is a view of `bytes`.
 * Throws `IPCM_MALFORMED_MESSAGE` unless `bytes` are one whole frame and nothing else.
 */
export function storedContent(bytes: Uint8Array, header: FrameHeader): Uint8Array | undefined {
  let at = header.length;
  let block = 0;
  do {
    if (at + 3 > bytes.length) throw malformed('it ends before its last block');
    // Block_Header: bit 0 says last, bits 1-2 the type (raw, run, compressed, reserved), the others the size.
    block = uint(bytes, at, 3);
    const type = (block >> 1) & 3;
    if (type === 3) throw malformed('a block of the reserved type');
    if (block >> 3 > largestBlock) throw malformed('a block larger than a block may be');
    // A run stands on the wire as its one byte, whatever its size.
    at += 3 + (type === 1 ? 1 : block >> 3);
  } while ((block & 1) === 0);
  const end = at + (header.checksum ? 4 : 0);
  if (end !== bytes.length) throw malformed(end > bytes.length ? 'it is cut short' : 'something follows it');
  const size = block >> 3;
  if (header.checksum || (block & 6) !== 0 || at !== header.length + 3 + size) return undefined;
  if (header.contentSize !== undefined && header.contentSize !== size)
    throw malformed('its size is not the declared one');
  return bytes.subarray(header.length + 3, at);
}

/**
 * A frame with `ascii` in one stored block, its size declared: 9 to 12 bytes more than the text. Throws `RangeError`
 * over 128 KB, which is more than a block may hold.
 */
export function storedFrame(ascii: string): Uint8Array {
  const size = ascii.length;
  if (size > largestBlock) throw new RangeError(`a stored block holds ${largestBlock} bytes, not ${size}`);
  const sizeLength = size < 256 ? 1 : size < 65536 + 256 ? 2 : 4;
  const frame = Buffer.allocUnsafe(8 + sizeLength + size);
  frame.writeUInt32LE(0xfd2fb528, 0);
  // Single segment: the reader's window is the content, so that it need not take a window's memory.
  frame[4] = sizeLength === 1 ? 0x20 : sizeLength === 2 ? 0x60 : 0xa0;
  frame.writeUIntLE(sizeLength === 2 ? size - 256 : size, 5, sizeLength);
  frame.writeUIntLE((size << 3) | 1, 5 + sizeLength, 3);
  frame.write(ascii, 8 + sizeLength, 'latin1');
  return frame;
}
