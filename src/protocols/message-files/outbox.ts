/**
 * Sending: each message is a file, written in `.ipcm/out` and renamed into the receiver's inbox, which is one event there
 * instead of the four of a file written in place. Names rise in the order of writing, whatever the messages' own ids.
 */
import { closeSync, openSync, renameSync } from 'node:fs';
import { isAlive, signalReaches } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { IpcError, quote } from '../../errors.ts';
import type { Delivery, Outgoing } from '../../protocol/protocol.ts';
import { createFlags, isDirectory, isMissing, removeFile, storeError, writeAll } from '../directory/files.ts';
import type { Member } from '../directory/member.ts';
import { entryFor } from '../directory/names.ts';
import { innerPath, makeInner, processTag } from '../directory/owner.ts';
import { hasExpired, readDeadline } from '../directory/peers.ts';
import { readPid } from '../directory/pid-file.ts';
import { nextName } from './names.ts';

/** How long a peer judged alive is believed to be the same process, in milliseconds; that a process is there is asked each time. */
const belief = 100;

/** More peers than this are not remembered. */
const mostPeers = 4096;

interface Peer {
  readonly path: string;
  identity: ProcessIdentity | undefined;
  checkedAt: number;
}

/** Writes messages into the inboxes of peers. */
export class Outbox {
  readonly #member: Member;
  readonly #nameLimit: number;
  readonly #dead: (peer: string) => void;
  readonly #staging: string;
  readonly #peers = new Map<string, Peer>();

  /** `dead` is called with a peer found dead. */
  constructor(member: Member, nameLimit: number, dead: (peer: string) => void) {
    this.#member = member;
    this.#nameLimit = nameLimit;
    this.#dead = dead;
    this.#staging = `${innerPath(member.place.route, 'out')}/${processTag(member.identity)}.`;
  }

  deliver(name: string, batch: readonly Outgoing[]): Delivery {
    const peer = this.#find(name);
    let taken = 0;
    for (const { bytes } of batch) {
      try {
        this.#write(peer.path, bytes);
      } catch (error) {
        if (isMissing(error)) {
          const gone = this.#gone(name);
          if (taken === 0) throw gone;
          return { taken, error: gone };
        }
        return { taken, error: this.#failed(error, name) };
      }
      taken++;
    }
    return { taken };
  }

  #write(path: string, bytes: Uint8Array): void {
    const name = nextName();
    const staged = this.#staging + name;
    let descriptor: number;
    try {
      descriptor = openSync(staged, createFlags, 0o600);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody tidied up too much, or the whole store is gone, which this says.
      makeInner(this.#member.place);
      descriptor = openSync(staged, createFlags, 0o600);
    }
    try {
      try {
        writeAll(descriptor, bytes);
      } finally {
        closeSync(descriptor);
      }
      renameSync(staged, `${path}/${name}`);
    } catch (error) {
      removeFile(staged);
      throw error;
    }
  }

  #find(name: string): Peer {
    try {
      return this.#reachable(name);
    } catch (error) {
      throw this.#failed(error, name);
    }
  }

  /** The peer, if it is there to read: alive, or suspended with time left. */
  #reachable(name: string): Peer {
    const now = performance.now();
    const known = this.#peers.get(name);
    if (known !== undefined && now - known.checkedAt < belief) {
      if (known.identity === undefined || known.identity.pid === process.pid || signalReaches(known.identity.pid))
        return known;
    }
    const { route } = this.#member.place;
    const path = known?.path ?? `${route}/${entryFor(name, this.#nameLimit)}`;
    const pid = readPid(`${path}.pid`);
    if (pid !== undefined && isDirectory(path) && !isAlive(pid.identity)) {
      this.#peers.delete(name);
      this.#dead(name);
      const text = `cannot send to ${quote(name)}: its process ${pid.identity.pid} has died`;
      throw new IpcError('IPCM_PEER_GONE', text, { ...this.#facts(name), pid: pid.identity.pid });
    }
    if (pid === undefined && hasExpired(readDeadline(`${path}.suspend`))) {
      this.#peers.delete(name);
      this.#dead(name);
      throw new IpcError(
        'IPCM_PEER_GONE',
        `cannot send to ${quote(name)}: it was suspended and has missed its deadline`,
        this.#facts(name),
      );
    }
    if (this.#peers.size >= mostPeers) this.#peers.clear();
    const peer = known ?? { path, identity: undefined, checkedAt: 0 };
    peer.identity = pid?.identity;
    peer.checkedAt = now;
    if (known === undefined) {
      if (!isDirectory(path)) throw this.#gone(name);
      this.#peers.set(name, peer);
    }
    return peer;
  }

  /** The error for an inbox that is not there. */
  #gone(name: string): IpcError {
    const { route } = this.#member.place;
    const was = this.#peers.delete(name);
    if (!isDirectory(route))
      return storeError(
        Object.assign(new Error('no such directory'), { code: 'ENOENT' }),
        `send to ${quote(name)}`,
        this.#member.place,
      );
    if (was)
      return new IpcError('IPCM_PEER_GONE', `cannot send to ${quote(name)}: it has disconnected`, this.#facts(name));
    return new IpcError(
      'IPCM_PEER_UNKNOWN',
      `cannot send to ${quote(name)}: nobody of that name is on the bus`,
      this.#facts(name),
    );
  }

  #failed(error: unknown, name: string): IpcError {
    return storeError(error, `write a message for ${quote(name)}`, this.#member.place);
  }

  #facts(peer: string): Record<'client' | 'peer' | 'route' | 'protocol', string> {
    return { client: this.#member.name, peer, ...this.#member.place };
  }
}
