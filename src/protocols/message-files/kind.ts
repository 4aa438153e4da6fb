/** The strategy of MessageFiles: an entry is a directory, a message a file in it. */
import { mkdirSync } from 'node:fs';
import type { EntryKind } from '../directory/entry-kind.ts';
import { FilesConnection } from './connection.ts';
import { countWaiting, listWaiting } from './waiting.ts';

/** Longest entry name: leaves room for the sidecars' suffixes in the 255 bytes that file systems have. */
const longestEntry = 200;

/** The one strategy object: it has no state. */
export const filesKind: EntryKind<void> = {
  protocol: 'MessageFiles',
  sealsByRename: true,
  nameLimit: () => longestEntry,
  isEntry: (entry) => entry.isDirectory(),
  enter(path, arrival) {
    if (arrival === 'new') mkdirSync(path, { mode: 0o700 });
  },
  connect(member, _handle, request, arrival) {
    const connection = new FilesConnection(member, filesKind, request);
    if (arrival === 'again') connection.resume();
    return connection;
  },
  waiting: countWaiting,
  unread: listWaiting,
};
