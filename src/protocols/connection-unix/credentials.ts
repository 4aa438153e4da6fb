/**
 * Whether whoever connects may. The directory of a store lets nobody but its owner in, so this is a second lock, and it is
 * there only with the native part: Node cannot ask who is at the other end of a socket.
 */
import type { Socket } from 'node:net';
import { loadNative } from '../../native/native.ts';
import { descriptorOf } from './descriptor.ts';

/** True unless a connection is known to be of another user than this process's or one of `allowed`. */
export function isWelcome(socket: Socket, allowed: readonly number[] | true): boolean {
  if (allowed === true) return true;
  const native = loadNative();
  const fd = descriptorOf(socket);
  if (native === undefined || fd === undefined) return true;
  try {
    const { uid } = native.peerCredentials(fd);
    return uid === process.getuid?.() || allowed.includes(uid);
  } catch {
    // It cannot be asked any more: it has gone, and what it wrote before is the directory's to protect.
    return true;
  }
}

/** The mode of a listening socket: connecting takes the right to write. Others are let near only if they can be told apart. */
export function socketMode(allowed: readonly number[] | true): number {
  return allowed === true || (allowed.length > 0 && loadNative() !== undefined) ? 0o666 : 0o600;
}
