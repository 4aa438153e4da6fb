/** What waits in an inbox, seen from outside: counted and listed without taking anything. */
import type { StoreOptions, UnreadMessage } from '../../protocol/protocol.ts';
import { list } from '../directory/files.ts';
import { stampOf, unreadOf } from '../directory/unread.ts';
import { Inbox } from './inbox.ts';
import { ready } from './names.ts';
import { readMessageFile } from './read-file.ts';

/** How many messages wait in an inbox; 0 where it is gone. */
export function countWaiting(path: string): number {
  let count = 0;
  for (const file of list(path)) if (file.endsWith(ready)) count++;
  return count;
}

/** The messages in an inbox, in the order in which they would be read. */
export function listWaiting(path: string, limit: number, options: StoreOptions): UnreadMessage[] {
  const place = { route: path, protocol: 'MessageFiles' };
  const read = (name: string): Buffer | undefined => {
    try {
      return readMessageFile(`${path}/${name}`, options.limits, place);
    } catch {
      // Its reader will be told what is wrong with it; here only messages are listed.
      return undefined;
    }
  };
  const inbox = new Inbox(() => path, {
    skip: () => false,
    stamp: (name) => {
      const bytes = read(name);
      return bytes === undefined ? undefined : stampOf(bytes, options);
    },
  });
  const found: UnreadMessage[] = [];
  if (list(path).length === 0) return found;
  for (let name = inbox.next(true); name !== undefined && found.length < limit; name = inbox.next(false)) {
    const bytes = read(name);
    const message = bytes === undefined ? undefined : unreadOf(bytes, options);
    if (message !== undefined) found.push(message);
  }
  return found;
}
