/** The strategy of AtomicPipe: an entry is a FIFO, a message one or more chunks in it. */
import { closeSync } from 'node:fs';
import { IpcError, quote } from '../../errors.ts';
import type { StoreOptions } from '../../protocol/protocol.ts';
import { DescriptorConnection } from '../directory/descriptor-connection.ts';
import type { EntryKind } from '../directory/entry-kind.ts';
import { Reachability } from '../directory/reachability.ts';
import { spinOption } from '../directory/spin.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { isUnread, makeInbox, openInbox, pipes } from './pipe.ts';

/** Longest entry name: leaves room for the sidecars' suffixes in the 255 bytes that file systems have. */
const longestEntry = 200;

/** Mode of a FIFO: the reference's. */
const usualMode = 0o700;

function permissionsOption({ permissions = usualMode }: Readonly<Record<string, unknown>>): number {
  if (typeof permissions === 'number' && Number.isInteger(permissions) && (permissions & ~0o777) === 0) {
    if ((permissions & 0o600) === 0o600) return permissions;
  }
  const given = typeof permissions === 'number' ? `0o${permissions.toString(8)}` : quote(permissions);
  const text = `protocolOptions.permissions is a mode from 0o600 to 0o777 that lets the owner read and write, not ${given}`;
  throw new IpcError('IPCM_INVALID_OPTION', text);
}

/** The strategy on a store with these options. Throws `IPCM_INVALID_OPTION`. */
export function pipeKind({ protocolOptions }: StoreOptions): EntryKind<number> {
  const mode = permissionsOption(protocolOptions);
  spinOption(protocolOptions);
  const kind: EntryKind<number> = {
    protocol: 'AtomicPipe',
    sealsByRename: false,
    nameLimit: () => longestEntry,
    isEntry: (entry) => entry.isFIFO(),
    enter: (path, arrival) => (arrival === 'new' ? makeInbox(path, mode) : openInbox(path)),
    connect(member, fd, request) {
      const calls = pipes();
      try {
        const inbox = new Inbox(fd, calls, member, request.report);
        const outbox = new Outbox(calls, new Reachability(member, kind, request.report));
        return new DescriptorConnection(member, inbox, outbox, calls.native);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
    isUnread,
    // A pipe tells nobody but its reader what is in it.
    waiting: () => 0,
    unread: () => [],
  };
  return kind;
}
