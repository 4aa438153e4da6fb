/**
 * What parent and child say to each other over the private pipe: frames of a 4-byte length and a structured clone. Neither
 * argv nor the environment show any of it, and its end tells each side that the other has gone.
 */
import { readSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { IpcError, systemCode } from '../errors.ts';

/** The descriptor of the private pipe in the child. */
export const controlDescriptor = 3;

/** A value as a frame. Throws `IPCM_INVALID_OPTION` for what cannot be cloned, such as a function. */
export function frameOf(call: string, value: unknown): Buffer {
  let body: Buffer;
  try {
    body = serialize(value);
  } catch (error) {
    throw new IpcError(
      'IPCM_INVALID_OPTION',
      `${call}: params must be what structuredClone can copy: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** Takes frames apart as bytes come in. */
export class FrameReader {
  readonly #take: (value: unknown) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (value: unknown) => void) {
    this.#take = take;
  }

  /** More bytes. */
  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readUInt32BE();
      if (this.#rest.length < end) return;
      const body = this.#rest.subarray(4, end);
      this.#rest = this.#rest.subarray(end);
      this.#take(deserialize(body));
    }
  }
}

/** In the child: waits for one frame. Throws when the pipe is not there, or ends before. */
export function readFrame(): unknown {
  return deserialize(readExactly(readExactly(4).readUInt32BE()));
}

/** In the child: says something to the parent, who may have gone. */
export function writeFrame(value: unknown): void {
  let rest = frameOf('the child', value);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(controlDescriptor, rest));
  } catch (error) {
    // Nobody is left to hear it: this process finds out by the end of the pipe.
    if (systemCode(error) !== 'EPIPE' && systemCode(error) !== 'ECONNRESET') throw error;
  }
}

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const got = readSync(controlDescriptor, bytes, at, length - at, null);
    if (got === 0) throw new Error('the process that started this one has gone');
    at += got;
  }
  return bytes;
}
