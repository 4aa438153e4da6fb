/**
 * Whether whoever connects may. The directory of a store lets nobody but its owner in, so this is a second lock, and it is
 * there only with the native part: Node cannot ask who is at the other end of a socket.
 */
import type { Socket } from 'node:net';
import { loadNative, type Credentials } from '../../native/native.ts';
import { descriptorOf } from './descriptor.ts';

/** Who has connected, where that is known to be another user than this process's and none of `allowed`. */
export function strangerAt(socket: Socket, allowed: readonly number[] | true): Credentials | undefined {
  if (allowed === true) return undefined;
  const native = loadNative();
  const fd = descriptorOf(socket);
  if (native === undefined || fd === undefined) return undefined;
  try {
    const found = native.peerCredentials(fd);
    return found.uid === process.getuid?.() || allowed.includes(found.uid) ? undefined : found;
  } catch {
    // It cannot be asked any more: it has gone, and what it wrote before is the directory's to protect.
    return undefined;
  }
}

/** The mode of a listening socket: connecting takes the right to write. Others are let near only if they can be told apart. */
export function socketMode(allowed: readonly number[] | true): number {
  return allowed === true || (allowed.length > 0 && loadNative() !== undefined) ? 0o666 : 0o600;
}
