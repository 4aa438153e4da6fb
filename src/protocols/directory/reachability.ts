/**
 * Why a peer cannot be sent to, for the protocols that send into a descriptor which somebody has to read: a FIFO, a socket.
 * There the kernel says at once that nobody reads any more; the pid file and the entry tell why.
 */
import { isAlive } from '../../liveness/alive.ts';
import { IpcError, quote } from '../../errors.ts';
import type { ConnectionReport } from '../../protocol/protocol.ts';
import type { EntryKind } from './entry-kind.ts';
import { look, storeError } from './files.ts';
import type { Member } from './member.ts';
import { entryFor } from './names.ts';
import { readPid, type PidRecord } from './pid-file.ts';
import { holderOf, mayBeUnread, reapOne, reapUnread } from './reap.ts';

/** Milliseconds for which a living peer may have an entry that nobody reads: it is being made, or its process is ending. */
const patience = 200;

/** The same where a pid file has no second line: its process may have died long ago, and its number be another's. */
const littlePatience = 20;

/** Milliseconds between two tries meanwhile. */
const interval = 2;

/** Judges peers for one client. */
export class Reachability {
  readonly #member: Member;
  readonly #kind: EntryKind;
  readonly #report: ConnectionReport;
  readonly #nameLimit: number;
  readonly #since = new Map<string, number>();

  constructor(member: Member, kind: EntryKind, report: ConnectionReport) {
    this.#member = member;
    this.#kind = kind;
    this.#report = report;
    this.#nameLimit = kind.nameLimit(member.place.route);
  }

  /** Path of a peer's entry. Throws `IPCM_INVALID_NAME`. */
  path(name: string): string {
    return `${this.#member.place.route}/${entryFor(name, this.#nameLimit)}`;
  }

  /** To be called when a peer was reached: the next time it is not, patience begins anew. */
  reached(name: string): void {
    if (this.#since.size > 0) this.#since.delete(name);
  }

  /**
   * True when the peer's process is known to be dead. To be asked before the first message: what a dying process had open may
   * stay open for a moment, and would take messages.
   */
  isDead(name: string): boolean {
    const pid = readPid(`${this.path(name)}.pid`);
    return pid !== undefined && !isAlive(pid.identity);
  }

  /** True when a peer says that it may be sent several messages in one piece. */
  packs(name: string): boolean {
    try {
      return readPid(`${this.path(name)}.pid`)?.packs === true;
    } catch {
      // Without a descriptor to ask with, say: one message in a piece is right for everybody.
      return false;
    }
  }

  /**
   * The error for a peer that nobody reads for, which is reaped if it has died; or a promise that resolves when it is worth
   * trying again. `known` says that it was there before.
   */
  absent(name: string, known: boolean): IpcError | Promise<void> {
    try {
      return this.#absent(name, known);
    } catch (error) {
      return this.failed(error, name);
    }
  }

  #absent(name: string, known: boolean): IpcError | Promise<void> {
    const { place } = this.#member;
    const path = this.path(name);
    const pid = readPid(`${path}.pid`);
    if (pid !== undefined && !isAlive(pid.identity)) return this.#died(name, pid, reapOne);
    if (look(path) === undefined) {
      this.#since.delete(name);
      if (look(place.route) === undefined) {
        const missing = Object.assign(new Error('no such directory'), { code: 'ENOENT' });
        return storeError(missing, `send to ${quote(name)}`, place);
      }
      return known ? this.#gone(name, 'it has disconnected') : this.#unknown(name, 'nobody of that name is on the bus');
    }
    const now = performance.now();
    const since = this.#since.get(name) ?? now;
    this.#since.set(name, since);
    const isVague = pid !== undefined && pid.identity.start === undefined;
    if (now - since < (isVague ? littlePatience : patience)) {
      return new Promise((resolve) => setTimeout(resolve, interval));
    }
    if (pid !== undefined && mayBeUnread(pid)) return this.#died(name, pid, reapUnread);
    this.#since.delete(name);
    const why = `nobody reads ${path}; whoever made it has died or is not ours`;
    return known ? this.#gone(name, why) : this.#unknown(name, why);
  }

  /** The error for a failure of the system. */
  failed(error: unknown, name: string): IpcError {
    return storeError(error, `send to ${quote(name)}`, this.#member.place);
  }

  #died(name: string, { identity }: PidRecord, reap: typeof reapOne): IpcError {
    this.#since.delete(name);
    const { place, identity: self } = this.#member;
    const reaped = reap({ place, kind: this.#kind, self }, entryFor(name, this.#nameLimit));
    if (reaped !== undefined) this.#report.reaped(reaped);
    return this.#gone(name, `${holderOf(identity)} has died`, identity.pid);
  }

  #gone(name: string, why: string, pid?: number): IpcError {
    const facts = pid === undefined ? this.#facts(name) : { ...this.#facts(name), pid };
    return new IpcError('IPCM_PEER_GONE', `cannot send to ${quote(name)}: ${why}`, facts);
  }

  #unknown(name: string, why: string): IpcError {
    return new IpcError('IPCM_PEER_UNKNOWN', `cannot send to ${quote(name)}: ${why}`, this.#facts(name));
  }

  #facts(peer: string): Record<'client' | 'peer' | 'route' | 'protocol', string> {
    return { client: this.#member.name, peer, ...this.#member.place };
  }
}
