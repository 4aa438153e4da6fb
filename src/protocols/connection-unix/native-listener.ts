/**
 * The listening socket of a client, where the native part is there. It is private from its first moment, and where the process has
 * no descriptor left, whoever connects waits with the kernel: a server of Node's takes the connection then, and closes it, with
 * what was sent over it.
 */
import { chmodSync } from 'node:fs';
import { constants } from 'node:os';
import { systemCode } from '../../errors.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { readable, systemError, type Native, type Poller } from '../../native/native.ts';
import { removeFile } from '../directory/files.ts';
import { privatePath, publish } from './aside.ts';
import { backlog, type Listener, type ListenerOwner } from './listener.ts';
import { NativeSocket } from './native-socket.ts';

/** Connections that are taken in before others of the event loop have their turn: more than a backlog holds. */
const mostAtOnce = 1024;
/** Milliseconds until it is tried again where there was no descriptor. */
const retryInterval = 100;

const again = -constants.errno.EAGAIN;
const aborted = -constants.errno.ECONNABORTED;

/** A socket that listens at a client's entry. */
export class NativeListener implements Listener {
  readonly #native: Native;
  readonly #fd: number;
  readonly #poller: Poller;
  #owner: ListenerOwner | undefined;
  /** A connection that is accepted, and cannot be watched for want of another descriptor. */
  #accepted: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #starved = false;
  #closed = false;

  /** Listens at `path`. Throws the system's error, `EEXIST` where something is there. */
  constructor(native: Native, path: string, mode: number, identity: ProcessIdentity) {
    const aside = privatePath(path, identity);
    const made = aside ?? path;
    this.#native = native;
    this.#fd = listenAt(native, made);
    let poller: Poller | undefined;
    try {
      // The umask has taken from the mode what others may.
      if (mode !== 0o600) chmodSync(made, mode);
      this.#poller = poller = new native.Poller(this.#fd).unref();
      if (aside !== undefined) publish(aside, path);
    } catch (error) {
      poller?.close();
      native.close(this.#fd);
      removeFile(made);
      throw error;
    }
  }

  start(owner: ListenerOwner): void {
    this.#owner = owner;
    this.#poller.start(readable, this.#accept);
  }

  drain(): void {
    if (this.#closed) return;
    this.#accept();
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#poller.close();
    this.#native.close(this.#fd);
    if (this.#accepted !== undefined) this.#native.close(this.#accepted);
  }

  readonly #accept = (): void => {
    // Whoever takes one may close us over it.
    for (let taken = 0; taken < mostAtOnce && !this.#closed; taken++) {
      const fd = this.#accepted ?? this.#native.accept(this.#fd);
      if (fd === aborted) continue;
      if (fd === again) this.#starved = false;
      else if (fd < 0) this.#wait(systemError(fd, 'accept'));
      if (fd < 0 || !this.#take(fd)) return;
    }
  };

  #take(fd: number): boolean {
    this.#accepted = fd;
    let socket: NativeSocket;
    try {
      socket = new NativeSocket(this.#native, fd);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#wait(error);
      return false;
    }
    this.#accepted = undefined;
    this.#owner?.accept(socket);
    return true;
  }

  /** Leaves the others where they are for a while: the poller would call without end. */
  #wait(error: Error): void {
    this.#poller.stop();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#poller.start(readable, this.#accept);
      this.#accept();
    }, retryInterval).unref();
    if (!this.#starved) this.#owner?.failed(error);
    this.#starved = true;
  }
}

function listenAt(native: Native, path: string): number {
  try {
    return native.listenStream(path, 0o600, backlog);
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') throw systemError(-constants.errno.EEXIST, 'bind', path);
    throw error;
  }
}
