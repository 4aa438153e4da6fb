/** One client on a store in a database. */
import type {
  Awaitable,
  Connection,
  ConnectRequest,
  Delivery,
  Incoming,
  Outgoing,
  ReceiveLimit,
  StoreOptions,
} from '../../protocol/protocol.ts';
import { statsToWire, type Stats } from '../../protocol/stats.ts';
import { andThen } from './awaitable.ts';
import type { Backend, Tenancy } from './contract.ts';
import type { Query, Work } from './query.ts';
import { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import { reapOne } from './reap.ts';
import { processColumn } from './rows.ts';
import { readStats } from './stats.ts';

/** The life that a connection began. */
export interface Life {
  /** When, as the row says until the client is leaving. */
  readonly active: number;
  readonly tenancy: Tenancy | undefined;
}

/** A connection of one of the SQL protocols. */
export class SqlConnection implements Connection {
  readonly #backend: Backend;
  readonly #options: StoreOptions;
  readonly #name: string;
  /** What the row says as long as it is ours. */
  readonly #process: string;
  readonly #life: Life;
  readonly #acknowledge: boolean;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #listening = new Set<() => void>();
  /** Statistics that could not be written at once. */
  #unwritten: Uint8Array | undefined;

  constructor(backend: Backend, options: StoreOptions, request: ConnectRequest, life: Life) {
    const { name, identity, acknowledge, report } = request;
    this.#backend = backend;
    this.#options = options;
    this.#name = name;
    this.#process = processColumn(request);
    this.#life = life;
    this.#acknowledge = acknowledge;
    this.#outbox = new Outbox(backend, name, (peer) =>
      andThen(reapOne(backend, peer), (reaped) => {
        if (reaped !== undefined) report.reaped(reaped);
      }),
    );
    this.#inbox = new Inbox({ backend, name, pid: identity.pid, acknowledge, limits: options.limits, report });
  }

  get lookAgain(): number {
    return this.#backend.wakeup.lookAgain ?? 250;
  }

  deliver(peer: string, batch: readonly Outgoing[]): Awaitable<Delivery> {
    const { tenancy } = this.#life;
    if (tenancy === undefined) return this.#outbox.deliver(peer, batch);
    return andThen(tenancy.check(), () => this.#outbox.deliver(peer, batch));
  }

  receive(limit: ReceiveLimit): Awaitable<Incoming[]> {
    this.#backend.wakeup.looked?.(this.#name);
    const { tenancy } = this.#life;
    if (tenancy === undefined) return this.#inbox.receive(limit);
    return andThen(tenancy.check(), () => this.#inbox.receive(limit));
  }

  ready(): Awaitable<boolean> {
    return this.#inbox.ready();
  }

  /** A transaction shows a message whole or not at all. */
  pending(): boolean {
    return false;
  }

  watchInbox(wake: () => void): () => void {
    const end = this.#backend.wakeup.listen(this.#name, wake, () => this.#somethingThere());
    this.#listening.add(end);
    return () => {
      this.#listening.delete(end);
      end();
    };
  }

  acknowledge(receipts: readonly unknown[]): Awaitable<void> {
    return this.#inbox.acknowledge(receipts);
  }

  requeue(messages: readonly Outgoing[]): Awaitable<void> {
    return this.#inbox.requeue(messages);
  }

  release(receipts: readonly unknown[]): Awaitable<void> {
    return this.#inbox.release(receipts);
  }

  reject(incoming: Incoming): Awaitable<void> {
    return this.#inbox.reject(incoming);
  }

  writeStats(stats: Stats): Awaitable<void> {
    const bytes = this.#options.serializer.serialize(statsToWire(stats));
    this.#unwritten = bytes;
    return andThen(this.#backend.session.one('write the statistics', this.#statsQuery(bytes)), () => {
      if (this.#unwritten === bytes) this.#unwritten = undefined;
    });
  }

  readStats(): Awaitable<Stats | undefined> {
    return readStats(this.#backend, this.#options.serializer, this.#name);
  }

  seal(): Awaitable<void> {
    const { session, wakeup } = this.#backend;
    return andThen(session.checkPresent(), () =>
      andThen(
        session.write('stop receiving', () => this.#seal()),
        () => wakeup.ringPeers(),
      ),
    );
  }

  disconnect(): Awaitable<void> {
    this.#stopListening();
    const { session, wakeup } = this.#backend;
    return andThen(
      session.write('disconnect', () => this.#leave()),
      () => {
        this.#life.tenancy?.ended();
        return wakeup.ringPeers();
      },
    );
  }

  suspend(expiresAt: number | undefined): Awaitable<void> {
    this.#stopListening();
    const { session, wakeup } = this.#backend;
    return andThen(
      session.write('suspend', () => this.#suspend(expiresAt)),
      () => {
        this.#life.tenancy?.ended();
        return wakeup.ringPeers();
      },
    );
  }

  closeSync(stats?: Stats): void {
    this.#stopListening();
    const { session, wakeup } = this.#backend;
    this.#life.tenancy?.ended();
    try {
      if (stats !== undefined) this.#unwritten = this.#options.serializer.serialize(statsToWire(stats));
      session.writeAtExit('disconnect', () => this.#leave());
      wakeup.ringPeers();
      // What was sent in this last turn has its readers woken.
      wakeup.flush();
    } catch {
      // Nobody is left to tell; what remains is a dead client's and is reaped as such.
    }
  }

  get #ours(): readonly [string, string, number] {
    return [this.#name, this.#process, this.#life.active];
  }

  *#seal(): Work<void> {
    const { statements } = this.#backend;
    const { changes } = yield { statement: statements.seal, values: this.#ours };
    // Also what nobody has a receipt of: all that is unread is accounted for now.
    if (changes > 0 && this.#acknowledge) yield { statement: statements.releaseAll, values: [this.#name] };
  }

  *#suspend(expiresAt: number | undefined): Work<void> {
    const { statements, wakeup } = this.#backend;
    const values = [Date.now() / 1000, expiresAt ?? null, ...this.#ours];
    const { changes } = yield { statement: statements.suspend, values };
    if (changes === 0) return;
    yield { statement: statements.releaseAll, values: [this.#name] };
    yield* this.#inbox.giveBack();
    wakeup.leave(this.#name);
  }

  *#leave(): Work<void> {
    const { statements, wakeup } = this.#backend;
    if (this.#unwritten !== undefined) yield this.#statsQuery(this.#unwritten);
    const { changes } = yield { statement: statements.leave, values: this.#ours };
    if (changes === 0) return;
    yield { statement: statements.removeAll, values: [this.#name] };
    wakeup.leave(this.#name);
  }

  #statsQuery(bytes: Uint8Array): Query {
    return { statement: this.#backend.statements.writeStats, values: [bytes, ...this.#ours] };
  }

  #somethingThere(): boolean {
    try {
      // Where the answer takes time, the reader had better look itself.
      return this.#inbox.ready() !== false;
    } catch {
      // The store is gone: whoever waits finds out by reading.
      return true;
    }
  }

  #stopListening(): void {
    for (const end of this.#listening) end();
    this.#listening.clear();
  }
}
