/**
 * The way to one server: a connection that is made when it is needed, and again when it was lost; shared by all clients of
 * this process that reach the server in the same way, as a server has connections for some hundred processes only.
 */
import type { Database, Link, Target } from './database.ts';
import { judge } from './failure.ts';
import { Gate } from './gate.ts';
import { Subscriptions } from './subscriptions.ts';

/** So many lost connections are remembered: who asks for one older has been at it for longer than anybody is patient. */
const remembered = 1000;

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
  /** Connections that were lost, by their generation, and that the server may not know to be. */
  readonly #lost = new Map<number, string>();
  /** The last mark that each lost connection left in the store. */
  readonly #last = new Map<number, number>();

  constructor(database: Database, target: Target, id: string) {
    this.database = database;
    this.#target = target;
    this.id = id;
  }

  /** The connection, where there is one. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Number of the connection: it rises with each. */
  get generation(): number {
    return this.#generation;
  }

  /** The last mark that a lost connection left; known as soon as there is the next one. */
  lastMark(generation: number): number | undefined {
    return this.#last.get(generation);
  }

  /** A number higher than all before. */
  nextMark(): number {
    return ++this.#mark;
  }

  /** The connection, made if there is none. Rejects with the driver's error. */
  connect(): Link | Promise<Link> {
    if (this.#link !== undefined) return this.#link;
    this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** Keeps the process alive while something is under way; each call with true is followed by one with false. */
  hold(yes: boolean): void {
    this.#busy += yes ? 1 : -1;
    if (this.#busy === (yes ? 1 : 0)) this.#link?.hold(yes);
  }

  /** Ends the connection, after a last statement if that can be. */
  async close(last: (link: Link) => Promise<unknown>): Promise<void> {
    this.#closed = true;
    const link = this.#link ?? (await this.#connecting?.catch(() => undefined));
    this.#link = undefined;
    if (link === undefined) return;
    link.hold(true);
    // Whatever is left in the store has a limit of its own.
    await last(link).catch(() => undefined);
    await link.close();
  }

  async #open(): Promise<Link> {
    const { database } = this;
    const link = await database.connect(this.#target, this.id);
    const generation = this.#generation + 1;
    let isLost = false;
    link.onLost(() => {
      isLost = true;
      this.#lost.set(generation, link.tag);
      if (this.#link !== link) return;
      this.#link = undefined;
      if (!this.#closed) this.subscriptions.detach();
    });
    try {
      if (this.#closed) throw new Error('the store has been closed');
      if (this.#lost.size > 0) await this.#settle(link);
      await this.subscriptions.attach(link);
    } catch (error) {
      await link.close();
      throw error;
    }
    this.#generation = generation;
    if (!isLost) this.#link = link;
    link.hold(this.#busy > 0);
    return link;
  }

  /**
   * Before anything else is done on a new connection: ends the old ones at the server, which may still be busy with them, and
   * asks what the last was that they left.
   */
  async #settle(link: Link): Promise<void> {
    const { bury, marked } = this.database.own;
    for (const tag of this.#lost.values()) await link.run({ ...bury, values: [tag] });
    let mark = 0;
    try {
      const { rows } = await link.run({ ...marked, values: [this.id] });
      mark = Number(rows[0]?.['mark'] ?? 0);
    } catch (error) {
      // Without tables nothing was left in them.
      if (judge(this.database, error) !== 'missing') throw error;
    }
    for (const lost of this.#lost.keys()) this.#last.set(lost, mark);
    this.#lost.clear();
    for (const old of this.#last.keys()) if (this.#last.size > remembered) this.#last.delete(old);
  }
}
