/**
 * Sending: a message is a row, a batch one transaction. Each goes only to the peer that was looked at, in the life in which
 * it was seen: the insert itself looks at the peer's row again, so that nothing is sent to one who left meanwhile.
 */
import { IpcError, isIpcError, quote } from '../../errors.ts';
import type { Awaitable, Delivery, Outgoing } from '../../protocol/protocol.ts';
import { andThen } from './awaitable.ts';
import type { Backend } from './contract.ts';
import { DuplicateId, MessageRefused, type Value, type Work } from './query.ts';
import { hasExpired, isDead, lifeOf, peerRow, type PeerRow } from './rows.ts';

/** How long a peer judged alive is believed to be the same process, in milliseconds; that one is there is asked each time. */
const belief = 100;
/** More peers than this are not remembered. */
const mostPeers = 4096;
/** So often a peer may change while something is sent to it. */
const mostLives = 10;

interface Known {
  readonly peer: PeerRow;
  readonly life: string;
  readonly checkedAt: number;
}

/** Writes messages for peers. */
export class Outbox {
  readonly #backend: Backend;
  readonly #client: string;
  readonly #dead: (peer: PeerRow) => Awaitable<void>;
  readonly #known = new Map<string, Known>();

  /** `dead` is called with a peer found dead. */
  constructor(backend: Backend, client: string, dead: (peer: PeerRow) => Awaitable<void>) {
    this.#backend = backend;
    this.#client = client;
    this.#dead = dead;
  }

  deliver(name: string, batch: readonly Outgoing[]): Awaitable<Delivery> {
    const known = this.#believed(name);
    if (known !== undefined) return this.#insert(name, known, batch, mostLives);
    return andThen(this.#look(name), (found) => this.#insert(name, found, batch, mostLives));
  }

  #insert(name: string, known: Known, batch: readonly Outgoing[], lives: number): Awaitable<Delivery> {
    let sent: Awaitable<number>;
    try {
      sent = this.#write(name, known.peer, batch);
    } catch (error) {
      return this.#failed(error, name, batch);
    }
    const settle = (count: number): Awaitable<Delivery> => {
      if (count > 0) {
        this.#backend.wakeup.ring(name, known.life);
        return { taken: batch.length };
      }
      this.#known.delete(name);
      if (lives === 0) throw this.#unsteady(name);
      return andThen(this.#look(name), (found) => this.#insert(name, found, batch, lives - 1));
    };
    if (!(sent instanceof Promise)) return settle(sent);
    return sent.then(settle, (error: unknown) => this.#failed(error, name, batch));
  }

  /** Writes all of the batch or, where the peer is not the one that was seen, nothing. */
  #write(name: string, peer: PeerRow, batch: readonly Outgoing[]): Awaitable<number> {
    const { session, statements } = this.#backend;
    const [first, ...rest] = batch;
    if (first === undefined) return 0;
    if (this.#backend.send !== undefined) return this.#backend.send(peer, batch);
    const guarded = { statement: statements.sendIf, values: guardedValues(first, peer, this.#backend) };
    if (rest.length === 0) return andThen(session.one('send a message', guarded), ({ changes }) => changes);
    const backend = this.#backend;
    const work = function* (): Work<number> {
      const { changes } = yield guarded;
      if (changes === 0) return 0;
      yield { statement: statements.send, many: rest.map((outgoing) => valuesOf(outgoing, name, backend)) };
      return batch.length;
    };
    return session.write('send messages', work);
  }

  /**
   * An id that cannot be, or that another waiting message has, or content that is too large, costs its message alone: up to it
   * they are sent one by one.
   */
  async #failed(error: unknown, name: string, batch: readonly Outgoing[]): Promise<Delivery> {
    const isTooLarge = isIpcError(error, 'IPCM_MESSAGE_TOO_LARGE');
    if (!(error instanceof MessageRefused) && !isTooLarge) throw error;
    const [first] = batch;
    if (first === undefined) return { taken: 0 };
    if (batch.length > 1) return this.deliver(name, [first]);
    if (isTooLarge) return { taken: 0, error };
    const id = quote(first.message.id);
    const why =
      error instanceof DuplicateId
        ? `a message of the id ${id} waits already, and ids are unique in a database`
        : `the id ${id} cannot be stored: ${error.message}`;
    const text = `cannot send to ${quote(name)}: ${why}`;
    return { taken: 0, error: new IpcError('IPCM_STORE_FAILED', text, { ...this.#facts(name), cause: error }) };
  }

  #believed(name: string): Known | undefined {
    const known = this.#known.get(name);
    if (known === undefined || performance.now() - known.checkedAt >= belief) return undefined;
    const { identity } = known.peer;
    const there = identity === undefined ? !hasExpired(known.peer) : this.#backend.mayLive(identity);
    return there ? known : undefined;
  }

  /** Looks who holds the name. Throws `IPCM_PEER_UNKNOWN`, `IPCM_PEER_GONE`, `IPCM_STORE_MISSING`. */
  #look(name: string): Awaitable<Known> {
    const { session, statements } = this.#backend;
    this.#backend.checkName(name);
    this.#known.delete(name);
    const query = { statement: statements.peer, values: [name] };
    return andThen(session.checkPresent(), () =>
      andThen(session.one('look for a peer', query), ({ rows: [row] }) => {
        const facts = this.#facts(name);
        if (row === undefined) {
          const text = `cannot send to ${quote(name)}: nobody of that name is on the bus`;
          throw new IpcError('IPCM_PEER_UNKNOWN', text, facts);
        }
        const peer = peerRow(row);
        if (peer === undefined) {
          throw new IpcError('IPCM_PEER_GONE', `cannot send to ${quote(name)}: it has disconnected`, facts);
        }
        if (isDead(peer, (identity, silent) => this.#backend.isAlive(identity, silent))) return this.#refuseDead(peer);
        if (peer.active === undefined) {
          throw new IpcError('IPCM_PEER_GONE', `cannot send to ${quote(name)}: it is disconnecting`, facts);
        }
        const known: Known = { peer, life: lifeOf(peer), checkedAt: performance.now() };
        if (this.#known.size >= mostPeers) this.#known.clear();
        this.#known.set(name, known);
        return known;
      }),
    );
  }

  #refuseDead(peer: PeerRow): Awaitable<never> {
    const { name, identity } = peer;
    const why =
      identity === undefined ? 'it was suspended and has missed its deadline' : `its process ${identity.pid} has died`;
    const facts = { ...this.#facts(name), ...(identity === undefined ? {} : { pid: identity.pid }) };
    return andThen(this.#dead(peer), () => {
      throw new IpcError('IPCM_PEER_GONE', `cannot send to ${quote(name)}: ${why}`, facts);
    });
  }

  #unsteady(name: string): IpcError {
    const text = `cannot send to ${quote(name)}: it connected and left ${mostLives} times while this was tried`;
    return new IpcError('IPCM_PEER_GONE', text, this.#facts(name));
  }

  #facts(peer: string): Record<'client' | 'peer' | 'route' | 'protocol', string> {
    const { route, protocol } = this.#backend;
    return { client: this.#client, peer, route, protocol };
  }
}

function guardedValues({ message, bytes }: Outgoing, peer: PeerRow, backend: Backend): Value[] {
  const head = [...backend.idValues(message.id), message.from, message.stamp, bytes, message.broadcast ? 1 : 0];
  return [...head, peer.name, peer.identity?.pid ?? null, peer.active ?? null];
}

/** The values of `send`. */
export function valuesOf({ message, bytes }: Outgoing, to: string, backend: Backend): Value[] {
  return [...backend.idValues(message.id), to, message.from, message.stamp, bytes, message.broadcast ? 1 : 0];
}
