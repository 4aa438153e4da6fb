/** What the tests of the native part share: the addon, a private folder, and a look at open descriptors. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadNative, nativeUnavailable, type Native } from '../../src/native/native.ts';

export const { EAGAIN, EBADF, ECONNREFUSED, EINVAL, EMSGSIZE, EPERM, EPIPE, ENOTSOCK } = constants.errno;

/** Reason to skip, for `test`'s options. */
export const skip = nativeUnavailable() ?? false;

/** The addon; only for tests that are skipped where there is none. */
export function native(): Native {
  const loaded = loadNative();
  assert.ok(loaded, nativeUnavailable());
  return loaded;
}

/** A folder that goes with the test. */
export function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipcm-native-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What is open in this process, by number. */
export function descriptors(): Map<number, string> {
  const open = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The descriptor that listed the folder is closed by now.
    }
  }
  return open;
}

/** One turn of the event loop, in which libuv finishes what was closed. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
