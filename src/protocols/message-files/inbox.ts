/**
 * The order in which the files of an inbox are read: one scan is kept as a cursor, the next is made when it is used up.
 *
 * Order per sender must hold although a large directory is read in several system calls, between which files come: such a
 * scan may show a sender's later file and miss an earlier one that landed behind the position (ext4 lists by hash). One call
 * shows a state that was. So of a scan with more entries than surely fit one call, only files made before it began are
 * taken (whatever their senders sent before those was there, too), or seen by the scan before. The rest waits for the next.
 *
 * Names of ours sort by time. For others the modification time counts, and among equal ones (the kernel's clock ticks every
 * few milliseconds) the stamp inside.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { isMissing } from '../directory/files.ts';
import { isOrdered, millisOf, nameBound, ready } from './names.ts';

/** Entries that one getdents64(2) call returns for certain: a thirtieth of what fits libuv's 32 KiB. */
const atomicScan = 24;

/** The kernel's coarse clock may lag behind by a tick, 10 ms at worst. */
const coarseTick = 10;

interface Foreign {
  readonly name: string;
  readonly time: bigint;
}

/** What an inbox asks of its surroundings. */
export interface InboxHooks {
  /** Files that are not to be read now. */
  skip(name: string): boolean;
  /** The stamp and its order inside a file of somebody else's; undefined where it has none. */
  stamp(name: string): readonly [number, number] | undefined;
}

/** Reads a directory in order. */
export class Inbox {
  readonly #path: () => string;
  readonly #hooks: InboxHooks;
  #queue: (string | readonly string[])[] = [];
  #at = 0;
  #lastName = '';
  #lastTime = 0n;

  constructor(path: () => string, hooks: InboxHooks) {
    this.#path = path;
    this.#hooks = hooks;
  }

  /** The next file to read, or undefined; scans when the cursor is used up, if `scan`. Throws the system's errors. */
  next(scan: boolean): string | undefined {
    for (;;) {
      const head = this.#queue[this.#at];
      if (head === undefined) {
        // A scan may leave everything to the next one; that one then takes what it saw.
        if (!scan || (!this.#scan() && !this.#scan())) return undefined;
        continue;
      }
      if (typeof head !== 'string') {
        this.#queue.splice(this.#at, 1, ...this.#byStamp(head));
        continue;
      }
      this.#at++;
      return head;
    }
  }

  /** Takes back the last {@link next}. */
  back(): void {
    this.#at--;
  }

  /** Forgets the cursor: something has been put back. */
  rescan(): void {
    this.#queue = [];
    this.#at = 0;
  }

  /** Reads the directory; false where nothing can be taken from it. */
  #scan(): boolean {
    const began = Date.now();
    const all = readdirSync(this.#path());
    const ours: string[] = [];
    let others: Foreign[] | undefined;
    for (const name of all) {
      if (!name.endsWith(ready) || this.#hooks.skip(name)) continue;
      if (isOrdered(name)) ours.push(name);
      else (others ??= []).push({ name, time: this.#time(name) });
    }
    ours.sort();
    const whole = all.length <= atomicScan;
    const names = whole ? ours : ours.slice(0, this.#before(ours, began));
    this.#lastName = ours.at(-1) ?? this.#lastName;
    this.#queue = others === undefined ? names : this.#merge(names, others, whole, began);
    this.#at = 0;
    return this.#queue.length > 0;
  }

  /** How many of the sorted names were made before the scan began, or seen by the one before. */
  #before(sorted: readonly string[], began: number): number {
    const bound = nameBound(began);
    let low = 0;
    for (let high = sorted.length; low < high;) {
      const middle = (low + high) >> 1;
      const name = sorted[middle] ?? '';
      if (name < bound || name <= this.#lastName) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #time(name: string): bigint {
    try {
      return lstatSync(`${this.#path()}/${name}`, { bigint: true }).mtimeNs;
    } catch (error) {
      if (isMissing(error)) return 0n;
      throw error;
    }
  }

  #merge(names: readonly string[], others: Foreign[], whole: boolean, began: number): (string | readonly string[])[] {
    others.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.name < b.name ? -1 : 1));
    const bound = BigInt(began - coarseTick) * 1_000_000n;
    const seen = this.#lastTime;
    this.#lastTime = others.at(-1)?.time ?? seen;
    const taken = whole ? others : others.filter(({ time }) => time < bound || time <= seen);
    const groups: { readonly time: bigint; readonly names: string[] }[] = [];
    for (const { name, time } of taken) {
      const group = groups.at(-1);
      if (group?.time === time) group.names.push(name);
      else groups.push({ time, names: [name] });
    }
    const merged: (string | readonly string[])[] = [];
    let at = 0;
    for (const name of names) {
      const time = BigInt(millisOf(name)) * 1_000_000n;
      for (let group = groups[at]; group !== undefined && group.time < time; group = groups[++at])
        merged.push(one(group.names));
      merged.push(name);
    }
    for (const group of groups.slice(at)) merged.push(one(group.names));
    return merged;
  }

  /** Files of one tick of the clock, by what is inside. */
  #byStamp(names: readonly string[]): string[] {
    const stamped = names.map((name) => ({ name, stamp: this.#hooks.stamp(name) ?? ([0, 0] as const) }));
    stamped.sort((a, b) => a.stamp[0] - b.stamp[0] || a.stamp[1] - b.stamp[1]);
    return stamped.map(({ name }) => name);
  }
}

function one(names: readonly string[]): string | readonly string[] {
  const [first] = names;
  return names.length === 1 && first !== undefined ? first : names;
}
