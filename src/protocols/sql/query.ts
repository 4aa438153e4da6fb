/**
 * Statements and work.
 *
 * The shared client's work is written once, as generators that yield statements and get results. A database that answers at
 * once (SQLite) runs them synchronously, which keeps a send free of a turn through the microtask queue; one behind a socket
 * awaits each answer. Work may be run again from its start when a transaction has to be repeated: whatever it does beside
 * the database may be done twice.
 */

/** A value as it is bound: never spliced into a statement. */
export type Value = string | number | null | Uint8Array;

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** One statement. */
export interface Statement {
  readonly text: string;
  /** True when it returns rows, false when it only changes some. */
  readonly rows: boolean;
  /** The same for several groups of values at once, where that saves most of the way to the database and back. */
  readonly grouped?: (groups: number) => string;
  /** True where each run of it has to await the one before: one that fails may have undone the transaction for the next. */
  readonly inTurn?: true;
  /** The same for any number of groups of values as one statement, where the database has a way to say that. */
  readonly atOnce?: (many: readonly (readonly Value[])[]) => {
    readonly text: string;
    readonly values: readonly Value[];
  };
}

/** A statement with its values; with `many`, run once for each of them. */
export type Query =
  | { readonly statement: Statement; readonly values: readonly Value[] }
  | { readonly statement: Statement; readonly many: readonly (readonly Value[])[] };

/** What came of a query. */
export interface Result {
  readonly rows: readonly Row[];
  /** How many rows were changed, over all `many`. */
  readonly changes: number;
}

/** Several queries with code in between. */
export type Work<T> = Generator<Query, T, Result>;

/** A message that cannot be in this database as it is, whatever the others of its batch are. */
export class MessageRefused extends Error {
  override readonly name: string = 'MessageRefused';
}

/** One with an id that another waiting message has. */
export class DuplicateId extends MessageRefused {
  override readonly name = 'DuplicateId';
}
