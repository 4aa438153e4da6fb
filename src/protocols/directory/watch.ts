/**
 * Inotify as a hint. An event says that something may have come; that none comes says nothing (the kernel drops them when
 * its queue overflows, without a word to us), so whoever waits must also look by itself now and then.
 */
import { watch, type FSWatcher } from 'node:fs';

/**
 * Calls `changed` with the file name, or null where it is not known, when something in a directory changes. Never keeps the
 * process alive. Undefined where the system has no watch to give (limits, file systems without it): the caller polls.
 */
export function watchDirectory(path: string, changed: (file: string | null) => void): (() => void) | undefined {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent: false });
  } catch {
    // ENOSPC, EMFILE: out of watches; ENOENT: gone. Watching is a hint, and polling finds out either way.
    return undefined;
  }
  watcher.on('change', (_kind, file) => changed(typeof file === 'string' ? file : null));
  watcher.on('error', () => {
    // The watch has ended; look once more, and leave the rest to the caller's own rounds.
    watcher.close();
    changed(null);
  });
  return () => watcher.close();
}

/** How often somebody who cannot be woken looks, in milliseconds. */
export const pollInterval = 5;

/** Calls `look` again and again without keeping the process alive; returns how to stop. */
export function poll(look: () => void, interval: number = pollInterval): () => void {
  const timer = setInterval(look, interval);
  timer.unref();
  return () => clearInterval(timer);
}
