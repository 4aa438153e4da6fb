/**
 * Random bits straight from the system's source. `node:crypto` has the same, and takes 6 ms of a process's start to load,
 * which is a fifth of all that a service needs; so it is only asked where there is no such file.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** Fills an array with random bits. */
export function fillRandom(into: Uint8Array | Uint16Array): void {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  let descriptor: number;
  try {
    descriptor = openSync('/dev/urandom', 'r');
  } catch {
    // A chroot without devices, or another kind of system.
    process.getBuiltinModule('node:crypto').randomFillSync(bytes);
    return;
  }
  try {
    for (let at = 0; at < bytes.length;) at += readSync(descriptor, bytes, at, bytes.length - at, null);
  } finally {
    closeSync(descriptor);
  }
}

/** So many random digits, two for each byte. */
export function randomHex(bytes: number): string {
  const some = new Uint8Array(bytes);
  fillRandom(some);
  return Buffer.from(some.buffer).toString('hex');
}
