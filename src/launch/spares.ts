/**
 * Processes started ahead: a service or a worker is then ready in a few milliseconds, since what takes time, the start of the
 * interpreter and the loading of this package, is done. A spare waits for its assignment without using the processor.
 */
import { IpcError, quote } from '../errors.ts';
import { Launched, type Inheritance } from './launched.ts';
import { planOf, type LaunchOptions } from './options.ts';
import { program } from './program.ts';

/** Milliseconds until one that was taken is replaced: whoever took it shall have the processors first. */
const afterwards = 100;
/** Milliseconds at most until one that ended by itself is replaced: each in a row makes it twice as long. */
const longest = 60_000;

interface Spare {
  readonly launched: Launched;
  /** What it was started with. */
  readonly plan: string;
}

/** Spare processes of one kind. */
export interface Spares {
  /** The processes that wait now. */
  readonly pids: readonly number[];
  /** Lets them go, and starts no more. */
  stop(): void;
  [Symbol.dispose](): void;
}

const pools = new Set<Pool>();

class Pool implements Spares {
  readonly #options: LaunchOptions;
  readonly #count: number;
  #spares: Spare[] = [];
  #timer: NodeJS.Timeout | undefined;
  #delay = afterwards;
  #stopped = false;

  constructor(count: number, options: LaunchOptions) {
    this.#count = count;
    this.#options = options;
    this.#fill();
  }

  get pids(): readonly number[] {
    return this.#spares.map(({ launched }) => launched.childPid ?? 0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    pools.delete(this);
    for (const { launched } of this.#spares.splice(0)) launched.release();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** One that was started as the options ask for; undefined where there is none. */
  take(plan: string): Launched | undefined {
    const index = this.#spares.findIndex((spare) => spare.plan === plan && spare.launched.running);
    const [spare] = index === -1 ? [] : this.#spares.splice(index, 1);
    if (spare !== undefined) {
      this.#delay = afterwards;
      clearTimeout(this.#timer);
      this.#fillLater();
    }
    return spare?.launched;
  }

  #fillLater(): void {
    this.#timer = setTimeout(() => this.#fill(), this.#delay).unref();
  }

  #fill(): void {
    this.#timer = undefined;
    const plan = planText(this.#options);
    // The environment or the working directory have changed: these would be of no use any more.
    for (const stale of this.#spares.filter((spare) => spare.plan !== plan)) stale.launched.release();
    this.#spares = this.#spares.filter((spare) => spare.plan === plan);
    while (!this.#stopped && this.#spares.length < this.#count) {
      const launched = new Launched('ipcmSpares', 'a spare process', program, this.#options);
      const spare = { launched, plan };
      this.#spares.push(spare);
      void launched.gone.then(() => this.#lost(spare));
    }
  }

  /** Killed by somebody, or it never got so far: that may come again, and shall not take the processor. */
  #lost(spare: Spare): void {
    const index = this.#spares.indexOf(spare);
    if (index === -1 || this.#stopped) return;
    this.#spares.splice(index, 1);
    if (this.#timer !== undefined) return;
    this.#fillLater();
    this.#delay = Math.min(2 * this.#delay, longest);
  }
}

/**
 * Keeps so many processes ready for services and workers that are started with the same options (interpreter, flags,
 * wrapper, environment, outputs). Each takes some 40 MB until it is used. They end with this process.
 * Throws `IPCM_INVALID_OPTION`.
 */
export function ipcmSpares(count: number, options: LaunchOptions = {}): Spares {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new IpcError('IPCM_INVALID_OPTION', `ipcmSpares: a number of processes, not ${quote(count)}`);
  }
  const pool = new Pool(count, options);
  pools.add(pool);
  return pool;
}

/** A process for a service or a worker: a spare one that fits, or a new one. */
export function launch(call: string, what: string, options: LaunchOptions & Inheritance): Launched {
  if (pools.size > 0 && options.daemonize !== true && options.preFork === undefined) {
    const plan = planText(options);
    for (const pool of pools) {
      const spare = pool.take(plan);
      if (spare === undefined) continue;
      spare.rename(call, what);
      return spare;
    }
  }
  return new Launched(call, what, program, options);
}

function planText(options: LaunchOptions): string {
  const { cwd = process.cwd(), ...plan } = planOf(program, options);
  return JSON.stringify([plan, cwd, options.stdout ?? 'inherit', options.stderr ?? 'inherit']);
}
