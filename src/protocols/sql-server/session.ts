/**
 * Runs the shared client's work on a server: in transactions, and over again where a deadlock, a lock that did not come, or a lost
 * connection cut it short.
 *
 * Whoever has lost a connection while a transaction was being committed does not know whether it was. So each transaction, and
 * each statement that sends, also writes a rising number, the mark, into a row of `ipcm_lines` that nobody else uses meanwhile.
 * After the next connect the old connection is ended at the server, and then the row tells whether that mark is in the store.
 * What else is done by a single statement does the same when it is done twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError, systemCode } from '../../errors.ts';
import type { Session } from '../sql/contract.ts';
import type { Query, Result, Work } from '../sql/query.ts';
import { writeAtExit } from './at-exit.ts';
import type { Bound, Link, Own } from './database.ts';
import { explain, judge, type Place } from './failure.ts';
import type { Line } from './line.ts';
import { runOn } from './run-on.ts';
import { within } from './within.ts';

/** How long things are tried, in milliseconds. */
export interface Patience {
  /** For locks that others hold. */
  readonly lockTimeout: number;
  /** For a server that was lost. */
  readonly reconnectTimeout: number;
}

/** What a session is made of. */
export interface SessionParts {
  readonly line: Line;
  readonly place: Place;
  readonly patience: Patience;
  /** False when the store is surely gone, without asking the server. */
  readonly isThere: () => boolean;
}

/** A turn at the connection. */
interface Turn<T> {
  readonly link: Link;
  /** A row for the mark, in which nobody else leaves one during this turn. */
  readonly row: () => string;
  /** Tells that the outcome is unknown from here on, if the connection is lost. */
  readonly unsure: (mark: number, outcome: () => T) => void;
}

/** Work on a connection. */
type Attempt<T> = (turn: Turn<T>) => Promise<T>;

/** An attempt that was cut off. */
interface Unknown<T> {
  readonly generation: number;
  readonly row: string;
  readonly mark: number;
  readonly outcome: () => T;
}

/** Longest pause between two tries, in milliseconds. */
const longestPause = 500;
/** How long a connection may take that is made at all, in milliseconds. */
const leastConnecting = 3000;
/** The same where that has been in vain for as long as anybody is patient. */
const shortConnecting = 250;
const nothing: Result = { rows: [], changes: 0 };
const ignore = (): void => undefined;
const fault = (error: unknown): unknown => error ?? new Error('no reason was given');

/** A session on a line. */
export class ServerSession implements Session {
  readonly #parts: SessionParts;
  #closed = false;
  /** Rows for marks that are there, as far as is known. */
  readonly #rows = new Set<string>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  write<T>(doing: string, work: () => Work<T>): Promise<T> {
    return this.#patiently<T>(doing, true, async ({ link, row: rowOf, unsure }) => {
      const { line } = this.#parts;
      const row = rowOf();
      const isMarked = await this.#makeRow(link, row);
      const { begin, commit } = line.database.transaction;
      const mark = line.nextMark();
      const head = Promise.all([
        link.run(plain(begin)),
        // Before there are tables nothing can be marked; and making them twice is the same as once.
        isMarked ? link.run(bind(line.database.own.mark, mark, row)) : undefined,
      ]);
      head.catch(ignore);
      try {
        const outcome = await this.#drive(link, work);
        await head;
        if (isMarked) unsure(mark, () => outcome);
        await link.run(plain(commit));
        return outcome;
      } catch (error) {
        await this.#rollback(link);
        // What failed first is the reason; what came after it only says that the transaction had failed.
        await head;
        throw error;
      }
    });
  }

  read<T>(doing: string, work: () => Work<T>): Promise<T> {
    return this.#patiently(doing, false, ({ link }) => this.#drive(link, work));
  }

  get direct(): boolean {
    const { line } = this.#parts;
    return line.link?.direct === true && line.gate.open;
  }

  one(doing: string, query: Query): Promise<Result> {
    if ('many' in query && query.statement.atOnce === undefined && query.many.length > 1) {
      return this.write(doing, function* (): Work<Result> {
        return yield query;
      });
    }
    return this.#patiently(doing, false, ({ link }) => runOn(link, query));
  }

  /** A statement that leaves the mark that it is given, if it changes anything, and may change nothing when run twice. */
  once(doing: string, build: (row: string, mark: number) => Bound, changes: number): Promise<Result> {
    return this.#patiently<Result>(doing, false, async ({ link, row: rowOf, unsure }) => {
      const row = rowOf();
      if (!this.#rows.has(row)) await this.#makeRow(link, row);
      const mark = this.#parts.line.nextMark();
      unsure(mark, () => ({ rows: [], changes }));
      return link.run(build(row, mark));
    });
  }

  /** A statement of the shared layer. */
  own(doing: string, statement: Own, ...values: Bound['values']): Promise<Result> {
    return this.#patiently(doing, false, ({ link }) => link.run(bind(statement, ...values)));
  }

  /** Connects, without patience. */
  async open(): Promise<void> {
    const { line, place } = this.#parts;
    line.hold(true);
    try {
      for (const end = performance.now() + leastConnecting; ; await sleep(longestPause * Math.random())) {
        const error = await this.#connect(undefined).then(() => undefined, fault);
        if (error === undefined) return;
        // There is a server, at which too many others wait to be let in.
        const isCrowded = systemCode(error) === 'EAGAIN' && performance.now() < end;
        if (!isCrowded) throw explain(error, judge(line.database, error), 'connect', place);
      }
    } finally {
      line.hold(false);
    }
  }

  writeAtExit(doing: string, work: () => Work<void>): void {
    if (!writeAtExit(this.#parts.line, work)) throw this.#ended(doing);
  }

  checkPresent(): void {
    // Every statement says so itself when there are no tables.
  }

  /** Ends the session: what is still tried fails. The line is closed by who closes it. */
  close(): void {
    this.#closed = true;
  }

  async #patiently<T>(doing: string, alone: boolean, attempt: Attempt<T>): Promise<T> {
    const { line, place, patience } = this.#parts;
    let unknown: Unknown<T> | undefined;
    let begin: number | undefined;
    let end: number | undefined;
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw this.#ended(doing);
      const begun = performance.now();
      try {
        return await this.#once(alone, end, async (link, row) => {
          // Decided when this connection was made.
          const cut = unknown;
          if (cut !== undefined && line.markLeft(cut.generation, cut.row) === cut.mark) return cut.outcome();
          unknown = undefined;
          const generation = line.generationOf(link);
          const unsure = (mark: number, outcome: () => T): void =>
            void (unknown = { generation, row: row(), mark, outcome });
          return attempt({ link, row, unsure });
        });
      } catch (error) {
        const verdict = judge(line.database, error);
        const isLost = verdict === 'lost';
        // It has failed for certain, unless the connection was lost.
        if (!isLost) unknown = undefined;
        begin ??= performance.now();
        const limit = isLost ? patience.reconnectTimeout : patience.lockTimeout;
        end = (isLost ? Math.min(begin, line.failed(begun)) : begin) + limit;
        const left = end - performance.now();
        const isWorth = verdict === 'busy' || (isLost && this.#parts.isThere());
        if (!isWorth || left <= 0) throw this.#explain(error, verdict, doing, isWorth ? limit : undefined);
        const pause = Math.min(longestPause, (isLost ? 5 : 1) * 2 ** Math.min(tries, 10), left);
        // Never in step with the others that were cut off by the same event.
        if (verdict === 'busy' || tries > 0) await sleep(pause * (0.5 + Math.random()), undefined);
        if (this.#closed) throw explain(error, verdict, doing, place);
      }
    }
  }

  /** A turn at the connection. `end` is when the patience of who wants it does. */
  async #once<T>(
    alone: boolean,
    end: number | undefined,
    work: (link: Link, row: () => string) => Promise<T>,
  ): Promise<T> {
    const { line } = this.#parts;
    let row: string | undefined;
    line.hold(true);
    const turn = line.gate.enter(alone);
    if (turn !== undefined) await turn;
    let link = line.link;
    try {
      link ??= await this.#connect(end);
      return await work(link, () => (row ??= line.takeRow()));
    } catch (error) {
      // It may say so before the connection itself: whatever is tried again is tried on the next one.
      if (link !== undefined && judge(line.database, error) === 'lost') line.lose(link);
      throw error;
    } finally {
      if (row !== undefined) line.leaveRow(row);
      line.gate.leave();
      line.hold(false);
    }
  }

  /** A server that takes connections and says nothing is waited for no longer than one that takes none. */
  async #connect(end: number | undefined): Promise<Link> {
    const { line, patience } = this.#parts;
    const { reconnectTimeout } = patience;
    // Whoever has several things to do, as somebody who leaves, has waited long enough over the first; the connection goes on being made.
    const isOut = line.isOutFor(reconnectTimeout);
    const left = end === undefined ? (isOut ? 0 : reconnectTimeout) : end - performance.now();
    return within(Math.max(left, isOut ? shortConnecting : leastConnecting), Promise.resolve(line.connect()));
  }

  /** Makes a row for marks; false where there are no tables. */
  async #makeRow(link: Link, row: string): Promise<boolean> {
    if (this.#rows.has(row)) return true;
    const { line } = this.#parts;
    try {
      await link.run(bind(line.database.own.openLine, row));
      this.#rows.add(row);
      return true;
    } catch (error) {
      if (judge(line.database, error) !== 'missing') throw error;
      return false;
    }
  }

  async #drive<T>(link: Link, work: () => Work<T>): Promise<T> {
    const steps = work();
    let step = steps.next(nothing);
    while (step.done !== true) step = steps.next(await runOn(link, step.value));
    return step.value;
  }

  async #rollback(link: Link): Promise<void> {
    try {
      await link.run(plain(this.#parts.line.database.transaction.rollback));
    } catch {
      // The connection is gone, and the transaction with it.
    }
  }

  #ended(doing: string): IpcError {
    const { place } = this.#parts;
    return new IpcError('IPCM_STORE_FAILED', `cannot ${doing}: the store has been closed`, { ...place });
  }

  #explain(error: unknown, verdict: ReturnType<typeof judge>, doing: string, after?: number): unknown {
    const { place, isThere } = this.#parts;
    if (verdict === 'lost' && !isThere()) return explain(error, 'missing', doing, place);
    return explain(error, verdict, doing, place, after);
  }
}

const plain = (text: string): Bound => ({ text, values: [], rows: false });

function bind({ text, rows }: Own, ...values: Bound['values']): Bound {
  return { text, rows, values };
}
