/**
 * Leases: how hosts that cannot see each other's processes know who is gone.
 *
 * A process has a row in `ipcm_leases` for as long as clients of it are in the store, and renews it at a third of the lease. By
 * the server's clock alone, so that no two clocks are compared. A client on another host is judged by it and nothing else; one on this host
 * by our process table and never by its lease, so that a busy process is not taken for a dead one here.
 *
 * The row is the process's, so all its clients that are reached over one line share what is known of it. A line that ends
 * removes the row unless some client's row still names the process, over whichever line that came.
 *
 * Who was silent for so long that others reaped it finds its lease gone. Those of its clients that still hold their names go
 * on; the others are told with their next call: what they were sent is gone, and their names may be another's.
 */
import { IpcError, quote } from '../../errors.ts';
import { isOfThisHost } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import type { Awaitable } from '../../protocol/protocol.ts';
import type { Tenancy, Tenure } from '../sql/contract.ts';
import type { Statement, Work } from '../sql/query.ts';
import type { Statements } from '../sql/statements.ts';
import { textOf, type PeerRow } from '../sql/rows.ts';
import type { OwnStatements } from './database.ts';
import { ServerSession, type SessionParts } from './session.ts';

/** What the tenure of a store is made of. */
export interface TenureParts {
  readonly session: SessionParts;
  readonly own: OwnStatements;
  readonly statements: Pick<Statements, 'peers'>;
  /** Who we are, to tell who is on this host. */
  readonly self: ProcessIdentity;
  /** Seconds. */
  readonly lease: number;
  /** Wakes those who wait, so that they find out. */
  readonly wakeAll: () => void;
}

/** A client that holds a name. */
interface Tenant {
  readonly name: string;
  readonly leases: Leases;
  expelled: boolean;
}

/** A moment on both clocks: one stands still while the machine sleeps, the other may be set. */
interface Moment {
  readonly at: number;
  readonly clock: number;
}

/** A process as one line knows it. */
interface Holder {
  readonly tenants: Set<Tenant>;
  /** Not that of one of the stores, which may be closed before the others. */
  readonly session: ServerSession;
  /** Seconds: the shortest of those that its clients wish for. */
  lease: number;
  timer: NodeJS.Timeout | undefined;
  /** When the lease was last known to be in force. */
  known: Moment;
  renewing: Promise<void> | undefined;
}

/** What is known of the leases of one line. */
interface Shared {
  readonly holders: Map<string, Holder>;
  /** Processes whose leases nobody needs any more: their last client has left. */
  readonly left: Set<string>;
}

const lines = new WeakMap<object, Shared>();

function sharedOf(line: object): Shared {
  let shared = lines.get(line);
  if (shared === undefined) lines.set(line, (shared = { holders: new Map(), left: new Set() }));
  return shared;
}

/** Longest time between two renewals, in milliseconds: a timer takes no more than 24 days. */
const longestInterval = 3_600_000;

const now = (): Moment => ({ at: performance.now(), clock: Date.now() });

/** True when it has not been known for so long whether the lease is in force that it may be over. */
function isLate({ known, lease }: Holder): boolean {
  const limit = lease * 900;
  return performance.now() - known.at > limit || Math.abs(Date.now() - known.clock) > limit;
}

const statementOf = ({ text, rows }: Statement): Statement => ({ text, rows });

/** The process of a row's `ipcm_process`. Its services have a lease of their own, since ` service` stays. */
function holderOf(process: string): string {
  return process.replace(/ ack$/, '');
}

/** The leases that this process holds in one store. */
export class Leases implements Tenure {
  readonly #parts: TenureParts;
  readonly #shared: Shared;

  constructor(parts: TenureParts) {
    this.#parts = parts;
    this.#shared = sharedOf(parts.session.line);
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

  coming(): (name: string, process: string) => Tenancy {
    // From before the question: the server's answer may be long on its way.
    const since = now();
    return (name, process) => this.#joined(name, holderOf(process), since);
  }

  /** Ends the leases of processes that no client's row names any more. */
  async endLeft(): Promise<void> {
    const { own, lease, session: parts, statements } = this.#parts;
    const session = new ServerSession(parts);
    const end = (key: string) =>
      function* (): Work<void> {
        // Locks the row: whoever takes a name meanwhile makes it anew.
        const { changes } = yield { statement: statementOf(own.renew), values: [lease, key] };
        if (changes === 0) return;
        const { rows } = yield { statement: statements.peers, values: [] };
        if (rows.some((row) => holderOf(textOf(row['ipcm_process'])) === key)) return;
        yield { statement: statementOf(own.endLease), values: [key] };
      };
    for (const key of this.#shared.left) await session.write('end the lease', end(key));
  }

  /** Stops renewing for the clients of this store. */
  close(): void {
    for (const [key, holder] of this.#shared.holders) {
      for (const tenant of holder.tenants) if (tenant.leases === this) holder.tenants.delete(tenant);
      if (holder.tenants.size === 0) this.#drop(key, holder);
    }
  }

  #joined(name: string, key: string, since: Moment): Tenancy {
    const { holders, left } = this.#shared;
    const { lease, session } = this.#parts;
    let holder = holders.get(key);
    if (holder === undefined) {
      const fresh = { tenants: new Set<Tenant>(), session: new ServerSession(session), timer: undefined };
      holder = { ...fresh, lease, known: since, renewing: undefined };
      holders.set(key, holder);
    }
    const held = holder;
    // Whose name it was before in this process has lost it.
    for (const tenant of held.tenants) if (tenant.name === name) tenant.expelled = true;
    const tenant: Tenant = { name, leases: this, expelled: false };
    held.tenants.add(tenant);
    left.delete(key);
    // Where it may have been over, the others are still to find out what they have lost.
    if (!isLate(held)) held.known = since;
    this.#plan(key, held);
    return {
      check: () => this.#check(key, held, tenant),
      ended: () => {
        held.tenants.delete(tenant);
        if (held.tenants.size > 0 || holders.get(key) !== held) return;
        this.#drop(key, held);
        left.add(key);
      },
    };
  }

  #plan(key: string, holder: Holder): void {
    const { lease } = this.#parts;
    if (holder.timer !== undefined && lease >= holder.lease) return;
    holder.lease = Math.min(lease, holder.lease);
    clearInterval(holder.timer);
    // The next call of a client tries again, and tells what is wrong.
    const renew = (): void => void this.#renew(key, holder).catch(() => undefined);
    holder.timer = setInterval(renew, Math.min((holder.lease * 1000) / 3, longestInterval)).unref();
  }

  #drop(key: string, holder: Holder): void {
    clearInterval(holder.timer);
    this.#shared.holders.delete(key);
  }

  #check(key: string, holder: Holder, tenant: Tenant): Awaitable<void> {
    if (isLate(holder)) return this.#renew(key, holder).then(() => this.#refuse(tenant));
    this.#refuse(tenant);
  }

  #refuse({ name, expelled }: Tenant): void {
    if (!expelled) return;
    const { session, lease } = this.#parts;
    const text =
      `${quote(name)} was not heard of for its lease of ${lease} s and has been reaped by another host, with what waited ` +
      'for it; connect again, or raise protocolOptions.lease on all hosts';
    throw new IpcError('IPCM_NOT_CONNECTED', text, { client: name, ...session.place });
  }

  #renew(key: string, holder: Holder): Promise<void> {
    holder.renewing ??= this.#renewNow(key, holder).finally(() => (holder.renewing = undefined));
    return holder.renewing;
  }

  async #renewNow(key: string, holder: Holder): Promise<void> {
    const { own } = this.#parts;
    const { session, lease, tenants } = holder;
    const since = now();
    const wasLate = isLate(holder);
    const { changes } = await session.own('renew the lease', own.renew, lease, key);
    // It may be there since somebody of this process has come meanwhile, or over another line.
    if (changes === 0 || wasLate) {
      const held = await session.write('take up the lease again', function* (): Work<Set<string>> {
        const { rows } = yield { statement: statementOf(own.held), values: [key, `${key} ack`] };
        if (rows.length > 0) yield { statement: statementOf(own.lease), values: [key, lease] };
        return new Set(rows.map((row) => textOf(row['id'])));
      });
      const lost = [...tenants].filter(({ name }) => !held.has(name));
      for (const tenant of lost) tenant.expelled = true;
      for (const { leases } of lost) leases.#parts.wakeAll();
    }
    holder.known = since;
  }
}
