/**
 * What parent and child say to each other over the private pipe: frames of a 4-byte length and a value, as JSON where that
 * is the same, else as a structured clone. Neither argv nor the environment show any of it, and its end tells each side that
 * the other has gone.
 */
import { readSync, writeSync } from 'node:fs';
import { IpcError, systemCode } from '../errors.ts';
import { isPlain } from './plain.ts';

/** What a structured clone begins with, and no JSON. */
const cloneMark = 0xff;

/** Nobody is left to say what to do. */
export class StarterGone extends Error {
  override readonly name = 'StarterGone';
}

/** The descriptor of the private pipe in the child. */
export const controlDescriptor = 3;

/** A value as a frame. Throws `IPCM_INVALID_OPTION` for what cannot be cloned, such as a function. */
export function frameOf(call: string, value: unknown): Buffer {
  let body: Buffer;
  try {
    body = encode(value);
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

/** `node:v8` loads all of the streams, 3 ms that a start is spared where nothing asks for it. */
function encode(value: unknown): Buffer {
  return isPlain(value) ? Buffer.from(JSON.stringify(value)) : process.getBuiltinModule('node:v8').serialize(value);
}

function decode(body: Buffer): unknown {
  if (body[0] === cloneMark) return process.getBuiltinModule('node:v8').deserialize(body);
  return JSON.parse(body.toString('utf8'));
}

/** Bytes of the largest frame that a parent takes: reports are short. */
const longest = 16 * 1024 * 1024;

/** Takes frames apart as bytes come in. */
export class FrameReader {
  readonly #take: (value: unknown) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (value: unknown) => void) {
    this.#take = take;
  }

  /** More bytes. Throws for what is no frame, after which nothing more can be read. */
  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32BE();
      if (length > longest) throw new RangeError(`a frame of ${length} bytes`);
      const end = 4 + length;
      if (this.#rest.length < end) return;
      const body = this.#rest.subarray(4, end);
      this.#rest = this.#rest.subarray(end);
      this.#take(decode(body));
    }
  }
}

/** In the child: waits for one frame. Throws when the pipe is not there, or ends before. */
export function readFrame(): unknown {
  return decode(readExactly(readExactly(4).readUInt32BE()));
}

/** Milliseconds that a child waits for its parent to read. */
const patience = 1000;

/** In the child: says something to the parent, who may have gone, or may be too busy to listen. */
export function writeFrame(value: unknown): void {
  let rest = frameOf('the child', value);
  const deadline = performance.now() + patience;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(controlDescriptor, rest));
    } catch (error) {
      const code = systemCode(error);
      // Nobody is left to hear it: this process finds out by the end of the pipe.
      if (code === 'EPIPE' || code === 'ECONNRESET') return;
      if (code !== 'EAGAIN') throw error;
      if (performance.now() > deadline) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const got = readSync(controlDescriptor, bytes, at, length - at, null);
    if (got === 0) throw new StarterGone('the process that started this one has gone');
    at += got;
  }
  return bytes;
}
