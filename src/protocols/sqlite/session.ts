/**
 * Runs the shared client's work on SQLite: at once where the lock is free, which it nearly always is.
 *
 * Where it is not, the work is tried again from here and not by SQLite, whose own waiting blocks the event loop and is
 * longer than a transaction takes: a few times in the next turns of the event loop, then after some milliseconds, never
 * in step with others. The caller sees `SQLITE_BUSY` only as an error that says so, after `lockTimeout`.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { IpcError } from '../../errors.ts';
import type { Awaitable } from '../../protocol/protocol.ts';
import type { Place } from '../directory/files.ts';
import type { Session } from '../sql/contract.ts';
import type { Query, Result, Row, Value, Work } from '../sql/query.ts';
import { isBusy, isInTransaction, type SqliteHandle, type SqliteStatement } from './driver.ts';
import { explain, locked } from './errors.ts';
import { isSameFile, type FileIdentity } from './route.ts';

/** So long it is tried in each turn of the event loop, in milliseconds: most transactions take less. */
const impatience = 2;
/** Rows that are inserted by one statement: a call of it costs as much as a row. */
const groupSize = 16;
/** Longest pause between two tries, in milliseconds. */
const longestPause = 10;
/** How long the end of the process may be held up, in milliseconds. */
const patienceAtExit = 500;

const nothing: Result = { rows: [], changes: 0 };

/** What a session is made of. */
export interface SessionParts {
  readonly handle: SqliteHandle;
  /** Opens the file anew; undefined for a handle of the caller's, who may be in the middle of a transaction. */
  readonly reopen: (() => SqliteHandle) | undefined;
  /** True where the library reads text up to its first null byte only. */
  readonly cutsAtNul: boolean;
  readonly place: Place;
  readonly file: FileIdentity;
  /** Milliseconds to wait for the lock. */
  readonly lockTimeout: number;
}

/** A session on one handle. */
export class SqliteSession implements Session {
  readonly #parts: SessionParts;
  readonly #prepared = new Map<object, SqliteStatement>();
  readonly #begin: SqliteStatement;
  readonly #commit: SqliteStatement;
  #closed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#begin = parts.handle.prepare('BEGIN IMMEDIATE');
    this.#commit = parts.handle.prepare('COMMIT');
  }

  write<T>(doing: string, work: () => Work<T>): Awaitable<T> {
    return this.#patiently(doing, () => this.#transaction(work));
  }

  read<T>(doing: string, work: () => Work<T>): Awaitable<T> {
    return this.#patiently(doing, () => this.#drive(work));
  }

  one(doing: string, query: Query): Awaitable<Result> {
    // Several values would be several transactions; on a caller's handle the statement might become part of theirs.
    if ('many' in query || this.#parts.reopen === undefined) {
      return this.write(doing, function* (): Work<Result> {
        return yield query;
      });
    }
    return this.#patiently(doing, () => this.#run(query));
  }

  writeAtExit(doing: string, work: () => Work<void>): void {
    const clock = new Int32Array(new SharedArrayBuffer(4));
    for (const end = performance.now() + patienceAtExit; ; Atomics.wait(clock, 0, 0, 1)) {
      try {
        this.#transaction(work);
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > end) throw this.#explain(error, doing);
      }
    }
  }

  checkPresent(): void {
    const { place, file } = this.#parts;
    if (isSameFile(place.route, file)) return;
    const text = `there is no store at ${place.route} any more: it has been removed`;
    throw new IpcError('IPCM_STORE_MISSING', text, { ...place });
  }

  /** Sets a pragma, which may need the lock. */
  pragma(text: string): Awaitable<readonly unknown[]> {
    return this.#patiently('set up the database', () => this.#parts.handle.prepare(`PRAGMA ${text}`).all());
  }

  /** Ends the session; what waits for the lock fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#prepared.clear();
    if (this.#parts.reopen !== undefined) this.#parts.handle.close();
  }

  #patiently<T>(doing: string, attempt: () => T): Awaitable<T> {
    try {
      return attempt();
    } catch (error) {
      if (this.#closed) throw this.#ended(doing);
      if (!isBusy(error)) throw this.#explain(error, doing);
      return this.#retry(doing, attempt);
    }
  }

  async #retry<T>(doing: string, attempt: () => T): Promise<T> {
    const { place, lockTimeout } = this.#parts;
    const begin = performance.now();
    const end = begin + lockTimeout;
    for (let tries = 0; ; tries++) {
      if (performance.now() - begin < impatience) await nextTurn();
      else await sleep(1 + Math.random() * Math.min(longestPause, tries / 4));
      if (this.#closed) throw this.#ended(doing);
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw this.#explain(error, doing);
        if (performance.now() > end) throw locked(error, doing, place, lockTimeout);
      }
    }
  }

  #ended(doing: string): IpcError {
    return new IpcError('IPCM_STORE_FAILED', `cannot ${doing}: the store has been closed`, { ...this.#parts.place });
  }

  #transaction<T>(work: () => Work<T>): T {
    this.#begin.run();
    try {
      const outcome = this.#drive(work);
      this.#commit.run();
      return outcome;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  #drive<T>(work: () => Work<T>): T {
    const steps = work();
    let step = steps.next(nothing);
    while (step.done !== true) step = steps.next(this.#run(step.value));
    return step.value;
  }

  #rollback(): void {
    try {
      this.#parts.handle.exec('ROLLBACK');
    } catch (error) {
      // After some errors, a full disk for one, SQLite has rolled back by itself.
      if (isInTransaction(this.#parts.handle)) throw error;
    }
  }

  #run(query: Query): Result {
    const { statement } = query;
    const prepared = this.#prepare(statement, statement.text);
    if (statement.rows) {
      const values = 'many' in query ? [] : query.values;
      return { rows: prepared.all(...values) as Row[], changes: 0 };
    }
    if (!('many' in query)) return { rows: [], changes: Number(prepared.run(...query.values).changes) };
    const { many } = query;
    let changes = 0;
    let at = 0;
    if (statement.grouped !== undefined && many.length >= groupSize) {
      const grouped = this.#prepare(statement.grouped, () => statement.grouped?.(groupSize) ?? '');
      const flat: Value[] = [];
      for (; at + groupSize <= many.length; at += groupSize) {
        flat.length = 0;
        for (let n = at; n < at + groupSize; n++) flat.push(...(many[n] ?? []));
        changes += Number(grouped.run(...flat).changes);
      }
    }
    for (; at < many.length; at++) changes += Number(prepared.run(...(many[at] ?? [])).changes);
    return { rows: [], changes };
  }

  #prepare(key: object, text: string | (() => string)): SqliteStatement {
    let prepared = this.#prepared.get(key);
    if (prepared === undefined) {
      prepared = this.#parts.handle.prepare(typeof text === 'string' ? text : text());
      this.#prepared.set(key, prepared);
    }
    return prepared;
  }

  #explain(error: unknown, doing: string): unknown {
    return explain(error, doing, this.#parts.place, this.#parts.file);
  }
}
