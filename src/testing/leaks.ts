/** What a test may have left behind in this process and on the machine: child processes, descriptors, files. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { until } from './until.ts';

/** What there is at one moment. */
interface Holdings {
  readonly children: readonly string[];
  readonly descriptors: readonly string[];
  readonly files: readonly string[];
}

/** Child processes of this one; none where /proc does not tell. */
function children(): string[] {
  try {
    const tasks = readdirSync('/proc/self/task');
    return tasks.flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, 'latin1').split(' ').filter(Boolean),
    );
  } catch {
    // Not Linux, a kernel without CONFIG_PROC_CHILDREN, or a thread that has just ended.
    return [];
  }
}

/** What the open descriptors of this process point to; none where /proc does not tell. */
export function descriptors(): string[] {
  let numbers: string[];
  try {
    numbers = readdirSync('/proc/self/fd');
  } catch {
    // Not Linux.
    return [];
  }
  const targets: string[] = [];
  for (const number of numbers) {
    try {
      const target = readlinkSync(`/proc/self/fd/${number}`);
      // Of inotify, eventfd and epoll libuv keeps one for each event loop; a leak of ours would be a watch in the first.
      if (target === 'anon_inode:inotify') targets.push(...watches(number));
      else if (!target.startsWith('anon_inode:')) targets.push(target);
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return targets.sort();
}

/** The watches of an inotify descriptor. */
function watches(number: string): string[] {
  const lines = readFileSync(`/proc/self/fdinfo/${number}`, 'latin1').split('\n');
  return lines.filter((line) => line.startsWith('inotify ')).map((line) => line.split(' ').slice(0, 4).join(' '));
}

function holdings(folder: string): Holdings {
  return { children: children().sort(), descriptors: descriptors(), files: readdirSync(folder).sort() };
}

const extra = (now: readonly string[], before: readonly string[]): string[] =>
  now.filter((item) => !before.includes(item));

/** Remembers what there is; the function that it returns throws when there is more. */
export function watchLeaks(folder: string): () => Promise<void> {
  const before = holdings(folder);
  const grown = (): Holdings => {
    const now = holdings(folder);
    return {
      children: extra(now.children, before.children),
      descriptors: extra(now.descriptors, before.descriptors),
      files: extra(now.files, before.files),
    };
  };
  const nothing: Holdings = { children: [], descriptors: [], files: [] };
  return async () => {
    try {
      // Closing is not always done when the call that asked for it returns.
      await until('everything is let go', () => isDeepStrictEqual(grown(), nothing), 2000);
    } catch (cause) {
      throw new Error(`the test left behind: ${JSON.stringify(grown())}`, { cause });
    }
  };
}
