/**
 * Receiving: what was put back first, then by stamp, and by arrival where stamps are equal (the reference writes several
 * messages under one stamp, its order within the stamp is not stored). A slice is read, then removed or
 * marked as handed out, and only then given to the client. Every query runs along the index of what waits, from its beginning: none costs more for a
 * longer backlog.
 *
 * Where a server is asked to remove a slice the messages are given to the client while the question is on its way: the server
 * answers it whatever becomes of this process. Nothing else is done with the inbox before the answer is there.
 *
 * One file, since what is put back, what is taken and what is known of neither have to agree.
 */
import { IpcError, isIpcError, quote } from '../../errors.ts';
import { uuidAt } from '../../message/id.ts';
import type { Awaitable, ConnectionReport, Incoming, Limits, Outgoing, ReceiveLimit } from '../../protocol/protocol.ts';
import { andThen, orElse } from './awaitable.ts';
import type { Backend } from './contract.ts';
import { MessageRefused, type Row, type Statement, type Value, type Work } from './query.ts';
import { valuesOf } from './outbox.ts';
import { bytesOf, idValue, numberOf, textOf } from './rows.ts';
import { isBroadcast, Room, valueOf, type Slice, type Waiting } from './slice.ts';

/** What an inbox is made of. */
export interface InboxParts {
  readonly backend: Backend;
  readonly name: string;
  /** Process that messages are handed out by. */
  readonly pid: number;
  readonly acknowledge: boolean;
  readonly limits: Limits;
  readonly report: ConnectionReport;
}

/** A message of somebody whose clock is behind came while others were read. */
class CameBetween extends Error {
  override readonly name = 'CameBetween';
}

/** Messages of a slice, at most: a database takes only so many values, and whoever wants more asks again. */
const mostMessages = 4096;
/** Contents of more bytes than this are always read one by one: a slice has hundreds. */
const largestInline = 65_536;
/** Where many are asked for, of more bytes than so few that all together are a few times what is asked for; but no fewer than this. */
const smallestInline = 4096;
/** Receipts of one statement. */
const mostReceipts = 4096;

/** The first place of what is put back: there are 2^52 before it overtakes what waits. */
const firstTurn = -(2 ** 52);

/** Messages on their way out of the store. */
interface Leaving {
  readonly slice: Slice;
  removal: Promise<void>;
}

/** Reads messages of one client. */
export class Inbox {
  readonly #parts: InboxParts;
  /** How often something was put back: only this client does that, in this life or, which counts once, in those before. */
  #puts = 1;
  /** So many of them have been read to their end. */
  #readPuts = 0;
  /** What was read and is being taken; also after a failure, for then nobody knows whether it is still in the store. */
  #taking: Slice | undefined;
  /** What was handed out, and is being removed; also after a failure, to be tried again. */
  #leaving: Leaving | undefined;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /** True when there is something to read. Throws `IPCM_STORE_MISSING`. */
  ready(): Awaitable<boolean> {
    const { backend, name } = this.#parts;
    const { session, statements } = backend;
    if (this.#leaving !== undefined) return this.#left(this.#leaving).then(() => this.ready());
    if (this.#taking !== undefined) return true;
    return andThen(
      session.one('look for messages', { statement: statements.ready, values: [name, name] }),
      ({ rows }) => (rows.length > 0 ? true : andThen(session.checkPresent(), () => false)),
    );
  }

  receive(given: ReceiveLimit): Awaitable<Incoming[]> {
    if (this.#leaving !== undefined) return this.#left(this.#leaving).then(() => this.receive(given));
    if (this.#taking !== undefined) return this.#handOut(this.#taking);
    const { session } = this.#parts.backend;
    const limit = { ...given, messages: Math.min(mostMessages, Math.floor(given.messages)) };
    const puts = this.#puts;
    // Reading needs no right to write, for which everybody else would have to wait. Nobody else takes what is ours.
    const slice = session.read('receive messages', () => this.#read(limit, puts));
    return andThen(slice, (read) => {
      if (read.back.length + read.waiting.length > 0) return this.#handOut(read);
      this.#readPuts = puts;
      return andThen(session.checkPresent(), () => []);
    });
  }

  /** In the transaction of a suspension: puts back what was read, and may have been removed, and was not handed out. */
  *giveBack(): Work<void> {
    const { acknowledge, name, backend } = this.#parts;
    const { statements } = backend;
    if (this.#leaving !== undefined) yield { statement: statements.remove, many: idsOf(this.#leaving.slice) };
    if (this.#taking === undefined || acknowledge) return;
    const items = [...this.#taking.back, ...this.#taking.waiting].filter((item) => !this.#isTooLarge(item));
    yield { statement: statements.remove, many: items.map(({ row }) => [valueOf(row['id'])]) };
    let turn = yield* this.#lastTurn();
    const many = items.map(({ row, content }) => {
      const ids = 'ipcm_id' in row ? [row['id'], row['ipcm_id']] : [row['id']];
      const broadcast = isBroadcast(row) ? 1 : 0;
      return [
        ...ids.map(valueOf),
        name,
        textOf(row['from']),
        valueOf(row['stamp']),
        bytesOf(content),
        broadcast,
        ++turn,
      ];
    });
    yield { statement: statements.putBack, many };
  }

  /** Removes messages that were handed out. */
  acknowledge(receipts: readonly unknown[]): Awaitable<void> {
    return this.#forEach('acknowledge messages', this.#parts.backend.statements.remove, receipts);
  }

  /** Lets messages that were handed out be handed out again. */
  release(receipts: readonly unknown[]): Awaitable<void> {
    return this.#forEach('put messages back', this.#parts.backend.statements.release, receipts);
  }

  /** Puts messages back that had been removed. */
  requeue(messages: readonly Outgoing[]): Awaitable<void> {
    if (messages.length === 0) return;
    if (this.#leaving !== undefined) return this.#left(this.#leaving).then(() => this.requeue(messages));
    const { session } = this.#parts.backend;
    // Not before it is committed: a look in between would find nothing, and take it for read. A failure may be a commit.
    const count = (): void => void this.#puts++;
    const put = (items: readonly Outgoing[]): Awaitable<void> => {
      const done = orElse(
        () => session.write('put messages back', () => this.#putBack(items)),
        (error) => {
          count();
          throw error;
        },
      );
      return andThen(done, count);
    };
    return orElse(
      () => put(messages),
      (error) => {
        if (!(error instanceof MessageRefused)) throw error;
        // One of them waits elsewhere under the same id, or has one that cannot be: rather than be lost they get others.
        return put(
          messages.map(({ message, bytes }) => ({ message: message.clone({ id: uuidAt(Date.now() * 1000) }), bytes })),
        );
      },
    );
  }

  /** Keeps aside what turned out to be no message: `ipcm_rejected` has it. */
  reject(incoming: Incoming): Awaitable<void> {
    if (!('message' in incoming)) return;
    const { statements, session } = this.#parts.backend;
    const { id, to, from, stamp } = incoming.message;
    return session.write('set a message aside', function* (): Work<void> {
      yield { statement: statements.recordRejected, values: [id, to, from, stamp, incoming.content] };
      yield { statement: statements.trimRejected, values: [] };
      const { receipt } = incoming;
      if (typeof receipt === 'string') yield { statement: statements.remove, values: [idValue(receipt)] };
    });
  }

  *#read(limit: ReceiveLimit, puts: number): Work<Slice> {
    const { statements } = this.#parts.backend;
    const { name } = this.#parts;
    const inline = Math.max(smallestInline, Math.min(largestInline, Math.floor((4 * limit.bytes) / limit.messages)));
    const room = new Room(limit);
    let back: readonly Waiting[] = [];
    let moreBack = false;
    if (puts > this.#readPuts) {
      const found = yield { statement: statements.back, values: [inline, name, limit.messages] };
      back = yield* this.#fitting(found.rows, room);
      moreBack = back.length < found.rows.length || back.length === limit.messages;
      if (moreBack) return { back, waiting: [], moreBack, puts };
    }
    const found = yield { statement: statements.waiting, values: [inline, name, room.messages] };
    return { back, waiting: yield* this.#fitting(found.rows, room), moreBack, puts };
  }

  /** Those from the head that fit; the content of long ones is read here, one by one, unless it is over the limit. */
  *#fitting(rows: readonly Row[], room: Room): Work<Waiting[]> {
    const { backend, limits } = this.#parts;
    const fitting: Waiting[] = [];
    for (const row of rows) {
      let { content } = row;
      const size = numberOf(row['size']) ?? 0;
      if (!room.takes(size)) break;
      if (content === null && size <= limits.maxMessageBytes) {
        const whole = yield { statement: backend.statements.content, values: [valueOf(row['id'])] };
        content = whole.rows[0]?.['content'];
      }
      fitting.push({ row, content, size });
    }
    return fitting;
  }

  /** Takes a slice, then gives it to the client; should it be unknown whether it was taken, the next call goes on with it. */
  #handOut(slice: Slice): Awaitable<Incoming[]> {
    const { back, waiting, moreBack, puts } = slice;
    if (this.#taking === undefined && !this.#parts.acknowledge && this.#parts.backend.session.direct === true) {
      this.#leave(slice);
      if (!moreBack) this.#readPuts = puts;
      return this.#incoming([...back, ...waiting]);
    }
    this.#taking = slice;
    const taken = orElse(
      () => this.#take(back, waiting),
      (error) => {
        if (!isIpcError(error, 'IPCM_STORE_FAILED')) this.#taking = undefined;
        throw error;
      },
    );
    return andThen(taken, () => {
      this.#taking = undefined;
      if (!moreBack) this.#readPuts = puts;
      return this.#incoming([...back, ...waiting]);
    });
  }

  /** Asks for the removal of a slice that is handed out now. */
  #leave(slice: Slice): void {
    const removal = Promise.resolve(this.#take(slice.back, slice.waiting));
    const leaving = { slice, removal };
    this.#leaving = leaving;
    removal.then(
      () => this.#hasLeft(leaving),
      // Whoever does something with the inbox next tries again, and is told.
      () => undefined,
    );
  }

  async #left(leaving: Leaving): Promise<void> {
    const { slice, removal } = leaving;
    leaving.removal = removal.catch(() => this.#take(slice.back, slice.waiting));
    await leaving.removal;
    this.#hasLeft(leaving);
  }

  #hasLeft(leaving: Leaving): void {
    if (this.#leaving === leaving) this.#leaving = undefined;
  }

  /** Removes what was read or, with acknowledgement, marks it as handed out. */
  #take(back: readonly Waiting[], waiting: readonly Waiting[]): Awaitable<void> {
    const { backend, acknowledge, pid } = this.#parts;
    const { session, statements } = backend;
    const ids = (items: readonly Waiting[]): Value[][] => items.map(({ row }) => [valueOf(row['id'])]);
    const all = [...back, ...waiting];
    const removeEach = { statement: statements.remove, many: ids(all) };
    const doing = 'receive messages';
    if (acknowledge) {
      const handed = ids(all.filter((item) => !this.#isTooLarge(item))).map((id) => [pid, ...id]);
      const dropped = ids(all.filter((item) => this.#isTooLarge(item)));
      if (dropped.length === 0 && statements.handOut.atOnce !== undefined)
        return andThen(session.one(doing, { statement: statements.handOut, many: handed }), () => undefined);
      return session.write(doing, function* (): Work<void> {
        yield { statement: statements.handOut, many: handed };
        yield { statement: statements.remove, many: dropped };
      });
    }
    const { removeArrived, remove } = statements;
    if (removeArrived.atOnce !== undefined && back.length === 0) {
      const many = waiting.map(({ row }) => [valueOf(row['arrival'])]);
      return andThen(session.one(doing, { statement: removeArrived, many }), () => undefined);
    }
    if (remove.atOnce !== undefined) return andThen(session.one(doing, removeEach), () => undefined);
    const [only] = removeEach.many;
    if (only !== undefined && removeEach.many.length === 1) {
      return andThen(session.one(doing, { statement: statements.remove, values: only }), () => undefined);
    }
    const removeAll = (): Awaitable<void> =>
      session.write(doing, () =>
        this.#removeRanges([statements.removeBack, back], [statements.removeWaiting, waiting]),
      );
    return orElse(removeAll, (error) => {
      if (!(error instanceof CameBetween)) throw error;
      return session.write(doing, function* (): Work<void> {
        yield removeEach;
      });
    });
  }

  /** All up to the last that was read; should another one have come in between, nothing. */
  *#removeRanges(...ranges: readonly (readonly [Statement, readonly Waiting[]])[]): Work<void> {
    for (const [statement, items] of ranges) {
      const last = items.at(-1)?.row;
      if (last === undefined) continue;
      const upTo = [valueOf(last['stamp']), valueOf(last['arrival'])];
      const values = [
        this.#parts.name,
        ...(statement === this.#parts.backend.statements.removeBack ? upTo.slice(1) : upTo),
      ];
      const { changes } = yield { statement, values };
      if (changes !== items.length) throw new CameBetween();
    }
  }

  #isTooLarge({ size }: Waiting): boolean {
    return size > this.#parts.limits.maxMessageBytes;
  }

  #incoming(items: readonly Waiting[]): Incoming[] {
    const { name: to, acknowledge, report } = this.#parts;
    const found: Incoming[] = [];
    for (const item of items) {
      const { row } = item;
      const [receipt, from] = [textOf(row['id']), textOf(row['from'])];
      const id = textOf(row['ipcm_id'] ?? row['id']);
      if (this.#isTooLarge(item)) {
        report.rejected(this.#tooLarge(id, from, item.size));
        continue;
      }
      const message = {
        id,
        from,
        to,
        stamp: numberOf(row['stamp']) ?? 0,
        broadcast: isBroadcast(row),
      };
      const content = bytesOf(item.content);
      found.push(acknowledge ? { message, content, receipt } : { message, content });
    }
    return found;
  }

  #tooLarge(id: string, from: string, size: number): IpcError {
    const { name, limits, backend } = this.#parts;
    const text =
      `message ${id} from ${quote(from)} to ${quote(name)} has ${size} bytes, over the limit of ` +
      `${limits.maxMessageBytes}, and was dropped; raise maxMessageBytes`;
    return new IpcError('IPCM_MESSAGE_TOO_LARGE', text, {
      client: name,
      protocol: backend.protocol,
      route: backend.route,
    });
  }

  *#putBack(messages: readonly Outgoing[]): Work<void> {
    const { name, backend } = this.#parts;
    const { statements } = backend;
    const senders = new Set(messages.map(({ message }) => message.from));
    yield { statement: statements.nobody, many: [...senders].map((sender) => [sender]) };
    let turn = yield* this.#lastTurn();
    yield { statement: statements.putBack, many: messages.map((item) => [...valuesOf(item, name, backend), ++turn]) };
  }

  *#lastTurn(): Work<number> {
    const { name, backend } = this.#parts;
    const { rows } = yield { statement: backend.statements.lastBack, values: [name] };
    return numberOf(rows[0]?.['turn']) ?? firstTurn;
  }

  #forEach(doing: string, statement: Statement, receipts: readonly unknown[]): Awaitable<void> {
    const many = receipts.filter((receipt) => typeof receipt === 'string').map((id) => [idValue(id)]);
    if (many.length === 0) return;
    return this.#parts.backend.session.write(doing, function* (): Work<void> {
      for (let at = 0; at < many.length; at += mostReceipts)
        yield { statement, many: many.slice(at, at + mostReceipts) };
    });
  }
}

const idsOf = ({ back, waiting }: Slice): Value[][] => [...back, ...waiting].map(({ row }) => [valueOf(row['id'])]);
