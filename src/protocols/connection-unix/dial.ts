/** Connecting to a peer, and finding out why that does not work. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError, quote, systemCode } from '../../errors.ts';
import { isAlive } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { loadNative } from '../../native/native.ts';
import { isDirectory, look, storeError } from '../directory/files.ts';
import type { Member } from '../directory/member.ts';
import { entryFor } from '../directory/names.ts';
import { readPid } from '../directory/pid-file.ts';
import { holderOf, mayBeUnread, reapOne, reapUnread } from '../directory/reap.ts';
import type { Awaitable } from '../../protocol/protocol.ts';
import { NativeSocket } from './native-socket.ts';
import { NodeSocket } from './node-socket.ts';
import type { StreamSocket } from './stream-socket.ts';

/** How long a socket may refuse connections although its owner lives, in milliseconds: it may be starting or leaving. */
const patience = 250;

/** The same where a pid file has no second line: its process may have died long ago, and its number be another's. */
const littlePatience = 20;

/** More peers than this are not remembered. */
const mostKnown = 4096;

/** Failures to connect that pass where there is a socket by now: it was not listened at yet, is not any more, or was not there. */
const passing: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT']);

function connectOnce(path: string): Awaitable<StreamSocket> {
  // Connecting would follow it.
  if (look(path)?.isSymbolicLink() === true) throw new Error(`${path} is a symbolic link`);
  const native = loadNative();
  return native === undefined ? NodeSocket.connect(path) : NativeSocket.connect(native, path);
}

/** True where nobody listens at a socket. */
export async function isUnread(path: string): Promise<boolean> {
  try {
    (await connectOnce(path)).destroy();
    return false;
  } catch (error) {
    return systemCode(error) === 'ECONNREFUSED';
  }
}

/** Connects one client to others. */
export class Dialer {
  readonly #member: Member;
  readonly #nameLimit: number;
  readonly #bury: (peer: string, reap: typeof reapOne) => void;
  readonly #known = new Set<string>();
  #closed = false;

  /** `bury` is called with a peer found dead, and how to reap it. */
  constructor(member: Member, nameLimit: number, bury: (peer: string, reap: typeof reapOne) => void) {
    this.#member = member;
    this.#nameLimit = nameLimit;
    this.#bury = bury;
  }

  /** Path of a peer's entry. */
  path(peer: string): string {
    return `${this.#member.place.route}/${entryFor(peer, this.#nameLimit)}`;
  }

  /** No further tries. */
  close(): void {
    this.#closed = true;
  }

  /** A connected socket. Waits while the peer's backlog is full. Throws `IPCM_PEER_UNKNOWN`, `IPCM_PEER_GONE` and others. */
  async connect(peer: string): Promise<StreamSocket> {
    const path = this.path(peer);
    try {
      return await this.#connect(peer, path);
    } catch (error) {
      throw this.#failed(error, peer);
    }
  }

  async #connect(peer: string, path: string): Promise<StreamSocket> {
    const begin = performance.now();
    // The sockets of a killed process live on for a moment, until the last of its threads has ended.
    const died = this.#died(peer, path);
    if (died !== undefined) throw died;
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        const socket = await connectOnce(path);
        if (this.#closed) {
          socket.destroy();
          break;
        }
        if (this.#known.size >= mostKnown) this.#known.clear();
        this.#known.add(peer);
        return socket;
      } catch (error) {
        const why = this.#reason(error, peer, path);
        const mayWait = this.#isVague(path) ? littlePatience : patience;
        const busy = systemCode(error) === 'EAGAIN' || performance.now() - begin < mayWait;
        if (why !== undefined && !(busy && this.#mayChange(error, path))) throw this.#unread(error, peer, path) ?? why;
      }
      await sleep(wait);
      if (this.#closed) break;
    }
    throw this.#error('IPCM_PEER_GONE', peer, `this client has left`);
  }

  /** The error for a connection that ended while a message was being written to it. */
  broken(peer: string): IpcError {
    let died: IpcError | undefined;
    try {
      died = this.#died(peer, this.path(peer));
    } catch (error) {
      return this.#failed(error, peer);
    }
    const why = 'it ended the connection while messages were on their way; whether it has read them is not known';
    return died ?? this.#error('IPCM_PEER_GONE', peer, why);
  }

  /** True for failures that pass by themselves, while the peer is there. */
  #mayChange(error: unknown, path: string): boolean {
    const code = systemCode(error);
    return code === 'EAGAIN' || (code !== undefined && passing.has(code) && look(path)?.isSocket() === true);
  }

  /** Why a peer cannot be connected to; undefined where it only has too many who want to. */
  #reason(error: unknown, peer: string, path: string): IpcError | undefined {
    const { place } = this.#member;
    if (!isDirectory(place.route)) return this.#failed(error, peer);
    const died = this.#died(peer, path);
    if (died !== undefined) return died;
    const code = systemCode(error);
    if (code === 'EAGAIN') return undefined;
    const entry = look(path);
    if (entry === undefined) {
      return this.#known.delete(peer)
        ? this.#error('IPCM_PEER_GONE', peer, 'it has disconnected')
        : this.#error('IPCM_PEER_UNKNOWN', peer, 'nobody of that name is on the bus');
    }
    if (entry.isFile()) {
      const why = 'it does not listen, and has not connected to this client; let it listen, or send something first';
      return this.#error('IPCM_PEER_UNKNOWN', peer, why);
    }
    if (!entry.isSocket()) return this.#error('IPCM_PEER_UNKNOWN', peer, `${path} is no socket`);
    if (!passing.has(code ?? '')) return storeError(error, `connect to ${quote(peer)}`, place);
    return this.#error('IPCM_PEER_GONE', peer, 'nobody accepts connections at its socket');
  }

  /** True for a pid file without a second line: its number may long be that of another process. */
  #isVague(path: string): boolean {
    const pid = readPid(`${path}.pid`)?.identity;
    return pid !== undefined && pid.start === undefined;
  }

  /** The error for a peer whose pid file may well lie, and at whose socket nobody listens: it has died. */
  #unread(error: unknown, peer: string, path: string): IpcError | undefined {
    const pid = readPid(`${path}.pid`);
    if (systemCode(error) !== 'ECONNREFUSED' || look(path)?.isSocket() !== true) return undefined;
    return pid === undefined || !mayBeUnread(pid) ? undefined : this.#buried(peer, pid.identity, reapUnread);
  }

  #died(peer: string, path: string): IpcError | undefined {
    const pid = readPid(`${path}.pid`)?.identity;
    return pid === undefined || isAlive(pid) ? undefined : this.#buried(peer, pid, reapOne);
  }

  #buried(peer: string, identity: ProcessIdentity, reap: typeof reapOne): IpcError {
    this.#known.delete(peer);
    this.#bury(peer, reap);
    return this.#error('IPCM_PEER_GONE', peer, `${holderOf(identity)} has died`, identity.pid);
  }

  /** The error for a failure of the system. */
  #failed(error: unknown, peer: string): IpcError {
    return storeError(error, `send to ${quote(peer)}`, this.#member.place);
  }

  #error(code: 'IPCM_PEER_GONE' | 'IPCM_PEER_UNKNOWN', peer: string, why: string, pid?: number): IpcError {
    const facts = { client: this.#member.name, peer, ...this.#member.place, ...(pid === undefined ? {} : { pid }) };
    return new IpcError(code, `cannot send to ${quote(peer)}: ${why}`, facts);
  }
}
