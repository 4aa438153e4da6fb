/**
 * The way to one server: a connection that is made when it is needed, and again when it was lost; shared by all clients of
 * this process that reach the server in the same way, as a server has connections for some hundred processes only.
 */
import type { Database, Link, Target } from './database.ts';
import { judge } from './failure.ts';
import { Gate } from './gate.ts';
import { HeardLink } from './silence.ts';
import { Subscriptions } from './subscriptions.ts';
import { within } from './within.ts';

/** So many lost connections are remembered: who asks for one older has been at it for longer than anybody is patient. */
const remembered = 1000;
/** Milliseconds for a server that is alive to answer, whatever it is asked. */
const prompt = 5000;
/** How often an old connection is asked to end. */
const mostBurials = 3;
/** Milliseconds after which a failure is not of the same outage as the one before. */
const pause = 1000;

/** A way to a server. */
export class Line {
  readonly database: Database;
  readonly gate: Gate = new Gate();
  readonly subscriptions: Subscriptions = new Subscriptions(this.gate);
  /** Key of this process's way, as far as the server knows: see {@link Database.connect}. */
  readonly id: string;
  readonly #target: Target;
  #busy = 0;
  #mark = 0;
  #link: Link | undefined;
  #connecting: Promise<Link> | undefined;
  #closed = false;
  #generation = 0;
  readonly #generations = new WeakMap<Link, number>();
  /** Connections that were lost, by their generation, and that the server may not know to be. */
  readonly #lost = new Map<number, string>();
  /** The marks that each lost connection left in the store, by their rows. */
  readonly #left = new Map<number, ReadonlyMap<string, number>>();
  /** Rows of `ipcm_lines` that were ever used, and those of them that are not in use. */
  readonly #rows: string[] = [];
  readonly #free: string[] = [];
  #outage: { readonly since: number; last: number } | undefined;

  constructor(database: Database, target: Target, id: string) {
    this.database = database;
    this.#target = target;
    this.id = id;
  }

  /** The connection, where there is one. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Number of a connection: it rises with each. */
  generationOf(link: Link): number {
    return this.#generations.get(link) ?? 0;
  }

  /** The mark that a lost connection left in a row; known as soon as there is the next one. */
  markLeft(generation: number, row: string): number | undefined {
    return this.#left.get(generation)?.get(row);
  }

  /** A number higher than all before. */
  nextMark(): number {
    return ++this.#mark;
  }

  /**
   * A row for the marks of one statement: of several under way at once each needs its own, for of one row only the last mark
   * is known. To be given back with {@link leaveRow}.
   */
  takeRow(): string {
    const row = this.#free.pop();
    if (row !== undefined) return row;
    const made = this.#rows.length === 0 ? this.id : `${this.id} ${this.#rows.length}`;
    this.#rows.push(made);
    return made;
  }

  leaveRow(row: string): void {
    this.#free.push(row);
  }

  /** All rows that were ever used. */
  get rows(): readonly string[] {
    return this.#rows;
  }

  /** The connection, made if there is none. Rejects with the driver's error. */
  connect(): Link | Promise<Link> {
    if (this.#link !== undefined) return this.#link;
    this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** Gives up a connection of which an error says that it is gone: what has become of its work is asked on the next one. */
  lose(link: Link): void {
    if (this.#link !== link) return;
    this.#gone(link);
    void link.close();
  }

  /**
   * Something that was begun at a moment has failed, as there is no server to be reached: since when that has been so, for all
   * who want something of it, so that who has several things to do does not wait for each of them.
   */
  failed(begun: number): number {
    const now = performance.now();
    if (this.#outage === undefined || begun - this.#outage.last > pause) this.#outage = { since: begun, last: now };
    this.#outage.last = now;
    return this.#outage.since;
  }

  /** True while it is known that there has been no server to be reached for longer than so many milliseconds. */
  isOutFor(milliseconds: number): boolean {
    const outage = this.#outage;
    const now = performance.now();
    return outage !== undefined && now - outage.last < pause && now - outage.since > milliseconds;
  }

  /** Keeps the process alive while something is under way; each call with true is followed by one with false. */
  hold(yes: boolean): void {
    this.#busy += yes ? 1 : -1;
    if (this.#busy === (yes ? 1 : 0)) this.#link?.hold(yes);
  }

  /** Ends the connection, after a last statement if that can be. */
  async close(last: (link: Link) => Promise<unknown>): Promise<void> {
    this.#closed = true;
    const coming = this.#connecting;
    const link = this.#link ?? (coming && (await within(prompt, coming).catch(() => undefined)));
    this.#link = undefined;
    if (link === undefined) return;
    link.hold(true);
    // Whatever is left in the store has a limit of its own.
    await within(prompt, last(link)).catch(() => undefined);
    await link.close();
  }

  async #open(): Promise<Link> {
    const { database } = this;
    const link = new HeardLink(await database.connect(this.#target, this.id), (since) => this.#ask(link, since));
    this.#generations.set(link, ++this.#generation);
    let isLost = false;
    link.onLost(() => {
      isLost = true;
      this.#gone(link);
    });
    try {
      if (this.#closed) throw new Error('the store has been closed');
      if (this.#lost.size > 0) await this.#settle(link);
      await this.subscriptions.attach(link);
    } catch (error) {
      await link.close();
      throw error;
    }
    if (!isLost) this.#link = link;
    this.#outage = undefined;
    link.hold(this.#busy > 0);
    return link;
  }

  #gone(link: Link): void {
    this.#lost.set(this.generationOf(link), link.tag);
    if (this.#link !== link) return;
    this.#link = undefined;
    if (!this.#closed) this.subscriptions.detach();
  }

  /** Asks a silent server over another connection whether it is there, and gives up the first if it is not. */
  async #ask(link: Link, since: number): Promise<void> {
    const probe = this.database.connect(this.#target, `${this.id} ?`);
    try {
      await (await within(prompt, probe)).close();
    } catch (error) {
      probe.then(
        (late) => late.close(),
        () => undefined,
      );
      if (judge(this.database, error) !== 'lost') return;
      this.failed(since);
      if (this.#link === link) this.lose(link);
      else await link.close();
    }
  }

  /**
   * Before anything else is done on a new connection: ends the old ones at the server, which may still be busy with them, and
   * asks what the last was that they left.
   */
  async #settle(link: Link): Promise<void> {
    for (const tag of this.#lost.values()) await this.#bury(link, tag);
    const left = new Map<string, number>();
    try {
      const ask = (row: string): Promise<unknown> =>
        link.run({ ...this.database.own.marked, values: [row] }).then(({ rows: [found] }) => {
          left.set(row, Number(found?.['mark'] ?? 0));
        });
      await Promise.all(this.#rows.map(ask));
    } catch (error) {
      // Without tables nothing was left in them.
      if (judge(this.database, error) !== 'missing') throw error;
    }
    for (const lost of this.#lost.keys()) this.#left.set(lost, left);
    this.#lost.clear();
    for (const old of this.#left.keys()) if (this.#left.size > remembered) this.#left.delete(old);
  }

  /** Ends an old connection at the server. As long as it lives nobody knows what it will have done. */
  async #bury(link: Link, tag: string): Promise<void> {
    for (let tries = 0; tries < mostBurials; tries++) {
      const { rows } = await link.run({ ...this.database.own.bury, values: [tag] });
      // One that has just ended by itself is not found, and not there when asked again.
      if (!rows.some(({ ended }) => ended === false)) return;
    }
    const text = 'the server does not end the connection that was lost';
    throw Object.assign(new Error(text), { code: 'ETIMEDOUT' });
  }
}
