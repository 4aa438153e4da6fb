/** The strategy of UnixSocket: an entry is a datagram socket, a message a datagram or part of one. */
import { IpcError, systemCode } from '../../errors.ts';
import { loadNative, nativeUnavailable, systemError, type Native } from '../../native/native.ts';
import type { StoreOptions } from '../../protocol/protocol.ts';
import { constants } from 'node:os';
import { DescriptorConnection } from '../directory/descriptor-connection.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import { removeFile } from '../directory/files.ts';
import { Reachability } from '../directory/reachability.ts';
import { spinOption } from '../directory/spin.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';

/** Longest path of a socket that every system takes, in bytes, with the zero at its end. */
const longestPath = 104;

/** Mode of a socket's file: only its owner may send. */
const mode = 0o600;

/** Why there are no datagram sockets here, if so. */
export function cannotBind(): string | undefined {
  const reason = nativeUnavailable();
  return reason === undefined ? undefined : `UnixSocket needs datagram sockets, which Node has not: ${reason}`;
}

function native(): Native {
  const loaded = loadNative();
  if (loaded !== undefined) return loaded;
  throw new IpcError('IPCM_NOT_VIABLE', cannotBind() ?? 'UnixSocket is not viable here', { protocol: 'UnixSocket' });
}

function bind(path: string): number {
  try {
    return native().bindDatagram(path, mode);
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') throw systemError(-constants.errno.EEXIST, 'bind', path);
    throw error;
  }
}

function isUnread(path: string): boolean {
  try {
    native().close(native().connectDatagram(path));
    return false;
  } catch (error) {
    return systemCode(error) === 'ECONNREFUSED';
  }
}

/** The strategy on a store with these options. Throws `IPCM_INVALID_OPTION`. */
export function socketKind({ protocolOptions }: StoreOptions): EntryKind<number> {
  spinOption(protocolOptions);
  const kind: EntryKind<number> = {
    protocol: 'UnixSocket',
    sealsByRename: false,
    packs: true,
    nameLimit: (route) => longestPath - Buffer.byteLength(route) - 2,
    isEntry: (entry) => entry.isSocket(),
    enter(path, arrival) {
      // Nobody can listen again at a socket that somebody else has made.
      if (arrival === 'again') removeFile(path);
      return bind(path);
    },
    connect(member, fd, request) {
      const calls = native();
      try {
        const inbox = new Inbox(fd, calls, member, request.report);
        const outbox = new Outbox(calls, new Reachability(member, kind, request.report));
        return new DescriptorConnection(member, inbox, outbox, calls);
      } catch (error) {
        calls.close(fd);
        throw error;
      }
    },
    isUnread,
    // A socket tells nobody but its reader what is in it.
    waiting: () => 0,
    unread: () => [],
  };
  return kind;
}
