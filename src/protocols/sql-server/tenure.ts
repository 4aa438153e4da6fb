/**
 * Leases: how hosts that cannot see each other's processes know who is gone.
 *
 * A process has a row in `ipcm_leases` for as long as clients of it are in the store, and renews it at a third of the lease. By
 * the server's clock alone, so that no two clocks are compared. A client on another host is judged by it and nothing else; one on this host
 * by our process table and never by its lease, so that a busy process is not taken for a dead one here.
 *
 * Who was silent for so long that others reaped it finds its lease gone. Those of its clients that still hold their names go
 * on; the others are told with their next call: what they were sent is gone, and their names may be another's.
 */
import { IpcError, quote } from '../../errors.ts';
import { isOfThisHost } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { Awaitable } from '../../protocol/protocol.ts';
import type { Tenure } from '../sql/contract.ts';
import type { Statement, Work } from '../sql/query.ts';
import { textOf, type PeerRow } from '../sql/rows.ts';
import type { OwnStatements } from './database.ts';
import type { Place } from './failure.ts';
import type { ServerSession } from './session.ts';

/** What the tenure of a store is made of. */
export interface TenureParts {
  readonly session: ServerSession;
  readonly own: OwnStatements;
  readonly place: Place;
  /** Who we are, to tell who is on this host. */
  readonly self: ProcessIdentity;
  /** Seconds. */
  readonly lease: number;
  /** Wakes those who wait, so that they find out. */
  readonly wakeAll: () => void;
}

interface Holder {
  /** Names held, each with its row's `ipcm_process`. */
  readonly names: Map<string, string>;
  readonly expelled: Set<string>;
  timer: NodeJS.Timeout;
  /** When the lease was last known to be in force, on both clocks: one stands still while the machine sleeps, the other may be set. */
  at: number;
  clock: number;
  renewing: Promise<void> | undefined;
}

const statementOf = ({ text, rows }: Statement): Statement => ({ text, rows });

/** The process of a row's `ipcm_process`. Its services have a lease of their own, since ` service` stays. */
function holderOf(process: string): string {
  return process.replace(/ ack$/, '');
}

/** The leases that this process holds in one store. */
export class Leases implements Tenure {
  readonly #parts: TenureParts;
  readonly #holders = new Map<string, Holder>();

  readonly #left = new Set<string>();

  constructor(parts: TenureParts) {
    this.#parts = parts;
  }

  /** Processes whose leases nobody needs any more: their last client has left. */
  get left(): ReadonlySet<string> {
    return this.#left;
  }

  *begin(process: string): Work<void> {
    const { own, lease } = this.#parts;
    yield { statement: statementOf(own.lease), values: [holderOf(process), lease] };
  }

  *revoke(peer: PeerRow): Work<boolean> {
    const { own, self } = this.#parts;
    if (peer.process === undefined || peer.identity === undefined || isOfThisHost(peer.identity, self)) return true;
    const process = holderOf(peer.process);
    yield { statement: statementOf(own.endStaleLease), values: [process] };
    const { rows } = yield { statement: statementOf(own.leased), values: [process] };
    return rows.length === 0;
  }

  joined(name: string, process: string): void {
    const key = holderOf(process);
    let holder = this.#holders.get(key);
    if (holder === undefined) {
      const timer = setInterval(() => this.#renewSilently(key), (this.#parts.lease * 1000) / 3);
      timer.unref();
      holder = { names: new Map(), expelled: new Set(), timer, at: 0, clock: 0, renewing: undefined };
      this.#holders.set(key, holder);
    }
    this.#left.delete(key);
    holder.expelled.delete(name);
    holder.names.set(name, process);
    this.#confirm(holder, performance.now(), Date.now());
  }

  check(name: string, process: string): Awaitable<void> {
    const key = holderOf(process);
    const holder = this.#holders.get(key);
    if (holder === undefined) return;
    const limit = this.#parts.lease * 900;
    if (performance.now() - holder.at > limit || Math.abs(Date.now() - holder.clock) > limit) {
      return this.#renew(key).then(() => this.#refuse(holder, name));
    }
    this.#refuse(holder, name);
  }

  ended(name: string, process: string): void {
    const key = holderOf(process);
    const holder = this.#holders.get(key);
    if (holder === undefined) return;
    holder.names.delete(name);
    holder.expelled.delete(name);
    if (holder.names.size > 0) return;
    clearInterval(holder.timer);
    this.#holders.delete(key);
    this.#left.add(key);
  }

  /** Stops renewing. */
  close(): void {
    for (const { timer } of this.#holders.values()) clearInterval(timer);
    this.#holders.clear();
  }

  #confirm(holder: Holder, at: number, clock: number): void {
    holder.at = at;
    holder.clock = clock;
  }

  #refuse(holder: Holder, name: string): void {
    if (!holder.expelled.has(name)) return;
    const { place, lease } = this.#parts;
    const text =
      `${quote(name)} was not heard of for its lease of ${lease} s and has been reaped by another host, with what waited ` +
      'for it; connect again, or raise protocolOptions.lease on all hosts';
    throw new IpcError('IPCM_NOT_CONNECTED', text, { client: name, ...place });
  }

  #renewSilently(key: string): void {
    // The next call of a client tries again, and tells what is wrong.
    this.#renew(key).catch(() => undefined);
  }

  #renew(key: string): Promise<void> {
    const holder = this.#holders.get(key);
    if (holder === undefined) return Promise.resolve();
    holder.renewing ??= this.#renewNow(key, holder).finally(() => (holder.renewing = undefined));
    return holder.renewing;
  }

  async #renewNow(key: string, holder: Holder): Promise<void> {
    const { session, own, lease, wakeAll } = this.#parts;
    // From before the question: the server's answer may have been long on its way.
    const [at, clock] = [performance.now(), Date.now()];
    const { changes } = await session.own('renew the lease', own.renew, lease, key);
    if (changes === 0) {
      const held = await session.write('take up the lease again', function* (): Work<Set<string>> {
        const { rows } = yield { statement: statementOf(own.held), values: [key, `${key} ack`] };
        if (rows.length > 0) yield { statement: statementOf(own.lease), values: [key, lease] };
        return new Set(rows.map((row) => textOf(row['id'])));
      });
      for (const name of holder.names.keys()) if (!held.has(name)) holder.expelled.add(name);
      if (holder.expelled.size > 0) wakeAll();
    }
    this.#confirm(holder, at, clock);
  }
}
