/** An open SQLite database as the shared SQL client wants it, and its end. */
import { dirname } from 'node:path';
import { isIpcError } from '../../errors.ts';
import { isAlive, signalReaches } from '../../liveness/alive.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { removeFile, removeTree, storeError } from '../directory/files.ts';
import { writeOwner } from '../directory/owner.ts';
import type { Backend } from '../sql/contract.ts';
import type { Value } from '../sql/query.ts';
import { idValue } from '../sql/rows.ts';
import type { Statements } from '../sql/statements.ts';
import { isTemporary } from './temporary.ts';
import { besides, folderBeside, isSameFile } from './route.ts';
import { dropTables, isShared, ruinTables, statements, statementsByBytes } from './schema.ts';
import { SqliteSession, type SessionParts } from './session.ts';
import { FileWakeup } from './wakeup.ts';

/** A store in an SQLite database. */
export class SqliteBackend implements Backend {
  readonly protocol: string;
  readonly route: string;
  readonly session: SqliteSession;
  readonly wakeup: FileWakeup;
  readonly statements: Statements;
  readonly #parts: SessionParts;
  #closed = false;

  constructor(parts: SessionParts) {
    const { place } = parts;
    this.protocol = place.protocol;
    this.route = place.route;
    this.#parts = parts;
    this.statements = parts.cutsAtNul ? statementsByBytes : statements;
    this.session = new SqliteSession(parts);
    this.wakeup = new FileWakeup(folderBeside(place.route), place);
  }

  checkName(): void {
    // Any text will do: SQLite keeps to no VARCHAR(512).
  }

  idValues(id: string): readonly Value[] {
    return [idValue(id)];
  }

  isAlive(identity: ProcessIdentity): boolean {
    return isAlive(identity);
  }

  mayLive({ pid }: ProcessIdentity): boolean {
    return pid === process.pid || signalReaches(pid);
  }

  own(owner: ProcessIdentity, guard: boolean): void {
    const { route, protocol } = this;
    if (isTemporary(route, protocol)) writeOwner({ route: dirname(route), protocol }, owner, guard);
  }

  async remove(): Promise<void> {
    if (!this.#isThere()) return;
    const session = this.#sessionToRemove();
    try {
      const shared = this.#isCallers || (await session.write('remove the store', isShared));
      await session.write('remove the store', shared ? dropTables : ruinTables);
      this.#unlink(shared, session);
    } catch (error) {
      // Somebody else was quicker.
      if (!isIpcError(error, 'IPCM_STORE_MISSING')) throw error;
    } finally {
      if (this.#closed) session.close();
    }
  }

  removeSync(): boolean {
    try {
      if (!this.#isThere()) return true;
      let shared = this.#isCallers;
      const session = this.#sessionToRemove();
      session.writeAtExit('remove the store', function* () {
        shared ||= yield* isShared();
        if (shared) yield* dropTables();
      });
      this.#unlink(shared, session);
      return true;
    } catch {
      // Somebody else has the lock, for one.
      return false;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.wakeup.close();
    this.session.close();
  }

  get #isCallers(): boolean {
    return this.#parts.reopen === undefined;
  }

  #isThere(): boolean {
    return isSameFile(this.route, this.#parts.file);
  }

  /** A store can be removed after it was closed. */
  #sessionToRemove(): SqliteSession {
    const { reopen } = this.#parts;
    return this.#closed && reopen !== undefined
      ? new SqliteSession({ ...this.#parts, handle: reopen() })
      : this.session;
  }

  /** Removes the files. SQLite itself must have let go: the last to close a database writes to it. */
  #unlink(shared: boolean, session: SqliteSession): void {
    session.close();
    this.close();
    try {
      if (!shared) {
        if (isTemporary(this.route, this.protocol)) {
          removeTree(dirname(this.route));
          return;
        }
        removeFile(this.route);
        for (const suffix of besides) removeFile(this.route + suffix);
      }
      removeTree(folderBeside(this.route));
    } catch (error) {
      throw storeError(error, 'remove the store', this.#parts.place);
    }
  }
}
