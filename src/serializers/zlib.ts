/**
 * `node:zlib`, loaded when it is first needed: with the streams that it brings along it takes 4 ms of the start of a process,
 * and short messages are written and read without it.
 */
import type * as Zlib from 'node:zlib';

let loaded: typeof Zlib | undefined;

/** The module. */
export function zlib(): typeof Zlib {
  return (loaded ??= process.getBuiltinModule('node:zlib'));
}

/** True where it has zstd; Node says so without loading it. */
export function hasZstd(): boolean {
  return process.versions['zstd'] !== undefined || typeof zlib().zstdCompressSync === 'function';
}
