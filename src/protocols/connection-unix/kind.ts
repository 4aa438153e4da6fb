/** The strategy of ConnectionUnix: an entry is a listening stream socket, or an empty file where a client does not listen. */
import { loadNative } from '../../native/native.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import { removeFile, writeNew } from '../directory/files.ts';
import { UnixConnection } from './connection.ts';
import { socketMode } from './credentials.ts';
import { isUnread } from './dial.ts';
import type { Listener } from './listener.ts';
import { NativeListener } from './native-listener.ts';
import { NodeListener } from './node-listener.ts';
import type { Settings } from './settings.ts';

/** Longest entry name: what the reference has of a socket's path for it. */
function nameLimit(route: string): number {
  return 104 - Buffer.byteLength(route) - 2;
}

/** The strategy for clients with these settings. */
export function unixKind(settings: Settings): EntryKind<Listener | undefined> {
  const kind: EntryKind<Listener | undefined> = {
    protocol: 'ConnectionUnix',
    sealsByRename: false,
    nameLimit,
    isEntry: (entry) => entry.isSocket() || entry.isFile(),
    enter(path, arrival, { identity }) {
      // Nothing that was sent can be in what somebody left: it is made anew.
      if (arrival === 'again') removeFile(path);
      if (settings.listen) {
        const native = loadNative();
        const mode = socketMode(settings.allowUsers);
        if (native === undefined) return NodeListener.at(path, mode, identity);
        return new NativeListener(native, path, mode, identity);
      }
      writeNew(path, new Uint8Array());
      return undefined;
    },
    connect(member, listener, request) {
      try {
        return new UnixConnection(member, kind, { listener, settings, request });
      } catch (error) {
        listener?.close();
        throw error;
      }
    },
    isUnread,
    // What is on its way is with the kernel or in a process, and cannot be seen from outside.
    waiting: () => 0,
    unread: () => [],
  };
  return kind;
}
