/**
 * The native part: what the protocols need of Linux and Node has no call for. It is a Node-API addon, `native/` in the
 * repository, `dist/native/ipcm-linux-x64.node` once built; this file declares it and loads it when first asked.
 *
 * Without it nothing here throws: `loadNative()` is undefined and `nativeUnavailable()` says why.
 *
 * Two kinds of failure. A call that transfers or asks (read, send, accept, sizes) returns a number below zero, minus
 * errno, because EAGAIN is its daily bread and an exception costs 16 µs; `systemError` makes an error of it. A call that
 * makes something throws an error with the fields of Node's own system errors. A wrong argument is a `TypeError` or
 * `RangeError` in both.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';

/** Who is at the other end of a stream socket, as of its connect or listen. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** For {@link Poller.start}. */
export const readable = 1;
/** For {@link Poller.start}. */
export const writable = 2;

/**
 * Watches one descriptor on the event loop. It works on a duplicate of the descriptor, so that the original may be closed
 * before or after it; until both are closed, the file is open and peers see it so.
 */
export interface Poller {
  /**
   * Watches for `readable`, `writable` or their sum, from now on with this callback. It is called in every turn of the
   * event loop in which the descriptor is ready, so do what it is ready for, or stop. `events` below zero means that the
   * descriptor is in an error state (as a FIFO whose reader has gone) and the poller has stopped: read or write to learn
   * more. While started, the poller keeps itself from being collected and, unless `unref`ed, the process alive.
   */
  start(events: number, callback: (events: number) => void): void;
  /** Stops watching; the callback is not called any more. May be started again. */
  stop(): void;
  /** Stops for good and closes its duplicate. Any number of times. */
  close(): void;
  ref(): this;
  unref(): this;
}

/** The addon. Descriptors are plain numbers, never blocking, and closed on `exec`. */
export interface Native {
  /** Counts changes of this interface. */
  readonly surface: number;

  /** Bytes read into the buffer (0: end of file), or -errno. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number;
  /** Bytes written, or -errno. */
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number;

  /** Makes a FIFO; the umask takes away from the mode. Throws. */
  mkfifo(path: string, mode: number): void;
  /** Bytes that a pipe holds, or -errno. */
  pipeSize(fd: number): number;
  /** Asks for a size, returns what the pipe has then or -errno: EPERM over the user's limit, EBUSY while more is in it. */
  setPipeSize(fd: number, bytes: number): number;
  /**
   * True where a write of several times 4096 bytes into a pipe that never waits is taken in whole pieces of 4096 bytes,
   * although it be cut short: between them may come what others write, within them nothing. Tried out once.
   */
  pipeTakesPages(): boolean;

  /** A datagram socket bound to a new file, which has the mode (less the umask) from its first moment. Throws. */
  bindDatagram(path: string, mode: number): number;
  /** A datagram socket that sends to the one bound at the path: only a connected one can be polled for room. Throws. */
  connectDatagram(path: string): number;
  /**
   * Sends the messages from index `first` on, in order. Returns how many are with the kernel; if that is not one, -errno:
   * EAGAIN when the receiver's queue or the send buffer is full, ECONNREFUSED when the receiver has gone, EPIPE when it
   * takes no more, EMSGSIZE when the message at `first` is larger than `sendBufferSize` less {@link datagramOverhead}, ENOBUFS.
   */
  sendBatch(fd: number, messages: readonly Uint8Array[], first: number): number;
  /**
   * Receives datagrams, each to the start of its slot: number `i` lies at `i * slot` in the arena, and `lengths[i]` is its
   * length. If that is more than `slot` the rest of it is lost. Returns how many, 64 at most, or -errno.
   */
  receiveBatch(fd: number, arena: Uint8Array, slot: number, lengths: Int32Array): number;
  /**
   * From now on the kernel refuses what is sent to this socket, with EPIPE, while what is in its queue can still be
   * received. Returns 0, or -errno.
   */
  shutReceiving(fd: number): number;
  /** Ends this side's half of a stream socket: its peer reads what was written, then the end. Returns 0, or -errno. */
  shutSending(fd: number): number;
  /** Bytes that may be in flight from this socket, overhead included, or -errno. */
  sendBufferSize(fd: number): number;
  /** Asks for a size, returns the size there is then (never over twice net.core.wmem_max), or -errno. */
  setSendBufferSize(fd: number, bytes: number): number;

  /** A stream socket that listens at a new file, which has the mode (less the umask) from its first moment. Throws. */
  listenStream(path: string, mode: number, backlog: number): number;
  /** A stream socket connected to the one that listens at the path. Throws: EAGAIN where too many wait to be accepted. */
  connectStream(path: string): number;
  /** The next connection to a listening socket, or -errno. */
  accept(fd: number): number;
  /** The process at the other end of a stream socket. Throws. */
  peerCredentials(fd: number): Credentials;

  /** Closes a descriptor that this addon made (bind, connect, listen, accept), once; throws EBADF for any other. */
  close(fd: number): void;
  /** Gives such a descriptor away, to a `net.Socket` for example: its new owner closes it. Throws EBADF for any other. */
  release(fd: number): void;

  /** Waits, calling sched_yield in between, until the descriptor is readable (or in error); false after so many µs. */
  spin(fd: number, microseconds: number): boolean;
  /** The event loop's own descriptor: readable when anything that the loop watches is ready. Only to `spin` on it. */
  loopDescriptor(): number;

  /**
   * Ends this process by SIGKILL so many milliseconds after the other end of a pipe or socket has gone, even if the event
   * loop is blocked for ever: a thread of its own waits for it. Once in a process; throws EBUSY the second time.
   */
  endWith(fd: number, milliseconds: number): void;

  readonly Poller: new (fd: number) => Poller;
}

/** The kernel's own share of a send buffer: no datagram is larger than the buffer less this. */
export const datagramOverhead = 32;

/** The interface above; as `kSurface` in native/module.cc. */
const surface = 5;

/**
 * From src/native as well as from dist/native this is dist/native. The C library is not asked for, since Node has no cheap
 * way to: a binary for the other one does not load, and then the next one is tried.
 */
const candidates = ['', '-musl'].map((libc) =>
  fileURLToPath(new URL(`../../dist/native/ipcm-${process.platform}-${process.arch}${libc}.node`, import.meta.url)),
);

let state: { readonly native?: Native; readonly reason?: string } | undefined;

/** The native part, or undefined where there is none; the answer stays the same while the process runs. */
export function loadNative(): Native | undefined {
  state ??= load();
  return state.native;
}

/** Why there is no native part and what to do about it; undefined where there is one. */
export function nativeUnavailable(): string | undefined {
  state ??= load();
  return state.reason;
}

/** An error, with the fields of Node's own system errors, of a result below zero. */
export function systemError(result: number, syscall: string, path?: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(result);
  const where = path === undefined ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${syscall}${where}`);
  return Object.assign(error, { code, errno: result, syscall }, path === undefined ? {} : { path });
}

function load(): { native?: Native; reason?: string } {
  if (process.env['IPCM_NO_NATIVE'] === '1') {
    return { reason: 'the environment variable IPCM_NO_NATIVE=1 turns the native part of ipc-manager off: unset it' };
  }
  if (process.platform !== 'linux') {
    return {
      reason: `the native part of ipc-manager is for Linux, and this is ${process.platform}: use another protocol`,
    };
  }
  const chosen = process.env['IPCM_NATIVE'];
  const files = (chosen === undefined ? candidates : [chosen]).filter((file) => existsSync(file));
  if (files.length === 0) {
    const reason = `no native part of ipc-manager for ${process.platform}-${process.arch} at ${chosen ?? candidates[0]}`;
    return {
      reason: `${reason}: build it with node scripts/build-native.ts in its repository, or use another protocol`,
    };
  }
  const failures: string[] = [];
  for (const file of files) {
    try {
      const native = createRequire(import.meta.url)(file) as Native;
      if (native.surface === surface) return { native };
      failures.push(`${file} is of another version of ipc-manager: build it again with node scripts/build-native.ts`);
    } catch (error) {
      // For example a mount without exec, an old C library, or --permission without --allow-addons.
      failures.push(`${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { reason: `the native part of ipc-manager is unusable. ${failures.join('; ')}` };
}
