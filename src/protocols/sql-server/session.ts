/**
 * Runs the shared client's work on a server: in transactions, and over again where a deadlock, a lock that did not come, or a lost
 * connection cut it short.
 *
 * Whoever has lost a connection while a transaction was being committed does not know whether it was. So each transaction, and
 * each statement that sends, also writes a rising number, the mark, into this process's row of `ipcm_lines`. After the next
 * connect the old connection is ended at the server, and then the row tells what the last was that is in the store. What else
 * is done by a single statement does the same when it is done twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError } from '../../errors.ts';
import type { Session } from '../sql/contract.ts';
import type { Query, Result, Work } from '../sql/query.ts';
import type { Bound, Link, Own } from './database.ts';
import { explain, judge, type Place } from './failure.ts';
import type { Line } from './line.ts';

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

/** Work on a connection. It tells in `unsure` that its outcome is unknown from here on, if the connection is lost. */
type Attempt<T> = (link: Link, unsure: (mark: number, outcome: () => T) => void) => Promise<T>;

/** An attempt that was cut off. */
interface Unknown<T> {
  readonly generation: number;
  readonly mark: number;
  readonly outcome: () => T;
}

/** Longest pause between two tries, in milliseconds. */
const longestPause = 500;
/** How long the end of the process may be held up, in milliseconds. */
const patienceAtExit = 500;

const nothing: Result = { rows: [], changes: 0 };
const ignore = (): void => undefined;

/** A session on a line. */
export class ServerSession implements Session {
  readonly #parts: SessionParts;
  #closed = false;
  #hasRow = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  write<T>(doing: string, work: () => Work<T>): Promise<T> {
    const { line } = this.#parts;
    return this.#patiently(doing, true, async (link, unsure) => {
      await this.#makeRow(link);
      const { begin, commit } = line.database.transaction;
      const mark = line.nextMark();
      const head = Promise.all([
        link.run(plain(begin)),
        // Before there are tables nothing can be marked; and making them twice is the same as once.
        this.#hasRow ? link.run(bind(line.database.own.mark, mark, line.id)) : undefined,
      ]);
      head.catch(ignore);
      try {
        const outcome = await this.#drive(link, work);
        await head;
        if (this.#hasRow) unsure(mark, () => outcome);
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
    return this.#patiently(doing, false, (link) => this.#drive(link, work));
  }

  one(doing: string, query: Query): Promise<Result> {
    if ('many' in query && query.statement.atOnce === undefined && query.many.length > 1) {
      return this.write(doing, function* (): Work<Result> {
        return yield query;
      });
    }
    return this.#patiently(doing, false, (link) => runOn(link, query));
  }

  /** A statement that leaves the mark that it is given, if it changes anything, and may change nothing when run twice. */
  once(doing: string, build: (line: string, mark: number) => Bound, changes: number): Promise<Result> {
    const { line } = this.#parts;
    return this.#patiently(doing, false, async (link, unsure) => {
      if (!this.#hasRow) await this.#makeRow(link);
      const mark = line.nextMark();
      unsure(mark, () => ({ rows: [], changes }));
      return link.run(build(line.id, mark));
    });
  }

  /** A statement of the shared layer. */
  own(doing: string, statement: Own, ...values: Bound['values']): Promise<Result> {
    return this.#patiently(doing, false, (link) => link.run(bind(statement, ...values)));
  }

  /** Connects, without patience. */
  async open(): Promise<void> {
    const { line, place } = this.#parts;
    line.hold(true);
    try {
      await line.connect();
    } catch (error) {
      throw explain(error, judge(line.database, error), 'connect', place);
    } finally {
      line.hold(false);
    }
  }

  writeAtExit(doing: string, work: () => Work<void>): void {
    const { line } = this.#parts;
    const { link } = line;
    const { begin, commit } = line.database.transaction;
    const end = performance.now() + patienceAtExit;
    const run = (bound: Bound): Result => {
      const result = link?.runSync?.(bound, end - performance.now());
      if (result === undefined) throw this.#ended(doing);
      return result;
    };
    // In the middle of something the answers would be taken for others.
    if (!line.gate.idle) throw this.#ended(doing);
    run(plain(begin));
    const steps = work();
    let step = steps.next(nothing);
    while (step.done !== true) {
      const { statement } = step.value;
      const { text } = statement;
      const all = 'many' in step.value ? step.value.many : [step.value.values];
      let changes = 0;
      let last = nothing;
      for (const values of all) changes += (last = run({ text, values, rows: statement.rows })).changes;
      step = steps.next({ rows: last.rows, changes });
    }
    run(plain(commit));
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
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw this.#ended(doing);
      try {
        return await this.#once(alone, async (link) => {
          // Decided when this connection was made.
          const cut = unknown;
          if (cut !== undefined && (line.lastMark(cut.generation) ?? 0) >= cut.mark) return cut.outcome();
          unknown = undefined;
          return attempt(link, (mark, outcome) => (unknown = { generation: line.generation, mark, outcome }));
        });
      } catch (error) {
        const verdict = judge(line.database, error);
        // It has failed for certain, unless the connection was lost.
        if (verdict !== 'lost') unknown = undefined;
        begin ??= performance.now();
        const limit = verdict === 'lost' ? patience.reconnectTimeout : patience.lockTimeout;
        const left = begin + limit - performance.now();
        const isWorth = verdict === 'busy' || (verdict === 'lost' && this.#parts.isThere());
        if (!isWorth || left <= 0) throw this.#explain(error, verdict, doing, isWorth ? limit : undefined);
        const pause = Math.min(longestPause, (verdict === 'lost' ? 5 : 1) * 2 ** Math.min(tries, 10), left);
        // Never in step with the others that were cut off by the same event.
        if (verdict === 'busy' || tries > 0) await sleep(pause * (0.5 + Math.random()), undefined);
        if (this.#closed) throw explain(error, verdict, doing, place);
      }
    }
  }

  /** A turn at the connection. */
  async #once<T>(alone: boolean, work: (link: Link) => Promise<T>): Promise<T> {
    const { line } = this.#parts;
    line.hold(true);
    const turn = line.gate.enter(alone);
    if (turn !== undefined) await turn;
    try {
      return await work(line.link ?? (await line.connect()));
    } finally {
      line.gate.leave();
      line.hold(false);
    }
  }

  async #makeRow(link: Link): Promise<void> {
    if (this.#hasRow) return;
    const { line } = this.#parts;
    try {
      await link.run(bind(line.database.own.openLine, line.id));
      this.#hasRow = true;
    } catch (error) {
      if (judge(line.database, error) !== 'missing') throw error;
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

/** Runs a query: with many groups of values at once where that can be, else one after the other without waiting in between. */
async function runOn(link: Link, query: Query): Promise<Result> {
  const { statement } = query;
  const { text, rows } = statement;
  if (!('many' in query)) return link.run({ text, values: query.values, rows });
  const { many } = query;
  if (many.length === 0) return nothing;
  if (statement.atOnce !== undefined) return link.run({ ...statement.atOnce(many), rows });
  if (statement.inTurn === true) {
    let changes = 0;
    for (const values of many) changes += (await link.run({ text, values, rows })).changes;
    return { rows: [], changes };
  }
  const results = await Promise.all(many.map((values) => link.run({ text, values, rows })));
  return { rows: [], changes: results.reduce((sum, { changes }) => sum + changes, 0) };
}
