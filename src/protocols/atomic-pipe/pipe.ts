/**
 * The system calls on pipes, by the native part or else by Node alone, which has no call for making a FIFO (the command
 * `mkfifo` does it) nor for its size. No call ever waits, and none goes through Node's thread pool: a read(2) that waits
 * there would hold one of its four threads for as long as nobody writes.
 *
 * Reading and writing give a number of bytes, or -errno: an exception for each EAGAIN costs ten times the call.
 */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemCode } from '../../errors.ts';
import { loadNative, nativeUnavailable, systemError, type Native } from '../../native/native.ts';
import { look } from '../directory/files.ts';

/** Nothing to read, or no room to write. */
export const again = -os.errno.EAGAIN;
/** Nobody reads any more. */
export const brokenPipe = -os.errno.EPIPE;

const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDWR, O_WRONLY } = constants;

/** Size to ask for where the maximum is refused; Linux gives 64 KiB unasked. */
const modestSize = 256 * 1024;

/** As much as a reader reads at once. */
const mostParts = 16;

/** Reading and writing. */
export interface Pipes {
  readonly native: Native | undefined;
  /** Parts of a message, of {@link pipeBuf} bytes each, that one write may hold: of several the kernel takes the first few whole. */
  readonly parts: number;
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number;
}

function errnoOf(call: () => number): number {
  try {
    return call();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (typeof errno === 'number' && errno < 0) return errno;
    throw error;
  }
}

const plain: Pipes = {
  native: undefined,
  parts: 1,
  read: (fd, buffer, offset, length) => errnoOf(() => readSync(fd, buffer, offset, length, null)),
  write: (fd, buffer, offset, length) => errnoOf(() => writeSync(fd, buffer, offset, length)),
};

/** The calls of this process. */
export function pipes(): Pipes {
  const native = loadNative();
  if (native === undefined) return plain;
  return {
    native,
    parts: native.pipeTakesPages() ? mostParts : 1,
    read: (fd, buffer, offset, length) => native.read(fd, buffer, offset, length),
    write: (fd, buffer, offset, length) => native.write(fd, buffer, offset, length),
  };
}

function commandPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'mkfifo')).find((path) => path.startsWith('/') && existsSync(path));
}

/** Why no FIFO can be made here, if so. */
export function cannotMake(): string | undefined {
  const reason = nativeUnavailable();
  if (reason === undefined || commandPath() !== undefined) return undefined;
  return `AtomicPipe makes FIFOs with its native part or the command mkfifo, and there is neither (${reason})`;
}

/** Makes a FIFO. Throws EEXIST when something is there. */
function make(path: string, mode: number, native: Native | undefined): void {
  if (native !== undefined) return native.mkfifo(path, mode);
  const command = commandPath();
  if (command === undefined) throw systemError(-os.errno.ENOENT, 'mkfifo', path);
  try {
    const { execFileSync } = process.getBuiltinModule('node:child_process');
    execFileSync(command, ['-m', mode.toString(8), path], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if (look(path) !== undefined) throw systemError(-os.errno.EEXIST, 'mkfifo', path);
    throw error;
  }
}

/** Makes a FIFO of exactly this mode and opens it to read. Leaves nothing behind when it fails. */
export function makeInbox(path: string, mode: number): number {
  make(path, mode, loadNative());
  try {
    // Only a umask that takes from the owner, or an option that gives to others, is in the way.
    if ((lstatSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
    return openInbox(path);
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** Opens a FIFO to read. For writing too, so that it never ends: without a writer it would read as at its end. */
export function openInbox(path: string): number {
  const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
  const native = loadNative();
  if (native !== undefined) grow(fd, native);
  return fd;
}

/** The larger the better; past what its user may have in all, the kernel says EPERM. */
export function grow(fd: number, native: Pick<Native, 'setPipeSize'>): void {
  if (native.setPipeSize(fd, systemMaximum()) < 0) native.setPipeSize(fd, modestSize);
}

let maximum: number | undefined;

function systemMaximum(): number {
  try {
    maximum ??= Number(readFileSync('/proc/sys/fs/pipe-max-size', 'latin1'));
  } catch {
    // No /proc: what Linux has unless told otherwise.
    maximum = 1024 * 1024;
  }
  return maximum;
}

/** A FIFO opened to write, and which one it is. */
export interface Opened {
  readonly fd: number;
  readonly inode: bigint;
}

/** Opens a FIFO to write. Throws ENXIO where nobody reads it, and for what is no FIFO. */
export function openOutbox(path: string): Opened {
  // Looked at first: merely opening a device may do something.
  if (look(path)?.isFIFO() === false) throw systemError(-os.errno.ENXIO, 'open', path);
  const fd = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  const state = fstatSync(fd, { bigint: true });
  if (state.isFIFO()) return { fd, inode: state.ino };
  closeSync(fd);
  throw systemError(-os.errno.ENXIO, 'open', path);
}

/** True for a FIFO that nobody has open to read. */
export function isUnread(path: string): boolean {
  try {
    closeSync(openOutbox(path).fd);
    return false;
  } catch (error) {
    return systemCode(error) === 'ENXIO';
  }
}
