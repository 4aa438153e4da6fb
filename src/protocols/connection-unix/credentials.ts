/**
 * Whether whoever connects may. The directory of a store lets nobody but its owner in, so this is a second lock, and it is
 * there only with the native part: Node cannot ask who is at the other end of a socket.
 */
import { loadNative, type Credentials } from '../../native/native.ts';
import type { StreamSocket } from './stream-socket.ts';

/**
 * Who has connected, where that is another user than this process's and none of `allowed`; `unknown` where it cannot be found
 * out although there is the means to.
 */
export function strangerAt(
  { fd }: Pick<StreamSocket, 'fd'>,
  allowed: readonly number[] | true,
): Credentials | 'unknown' | undefined {
  if (allowed === true) return undefined;
  const native = loadNative();
  if (native === undefined) return undefined;
  if (fd === undefined) return 'unknown';
  try {
    const found = native.peerCredentials(fd);
    return found.uid === process.geteuid?.() || allowed.includes(found.uid) ? undefined : found;
  } catch {
    return 'unknown';
  }
}

/** The mode of a listening socket: connecting takes the right to write. Others are let near only if they can be told apart. */
export function socketMode(allowed: readonly number[] | true): number {
  return allowed === true || (allowed.length > 0 && loadNative() !== undefined) ? 0o666 : 0o600;
}
