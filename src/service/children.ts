/** The processes that a service has started: its workers, which are part of it, and nested services, which are peers. */
import type { ChildProcess } from 'node:child_process';
import type { Ending, Launched } from '../launch/launched.ts';

/** A worker of a service. */
export interface ServiceWorker {
  readonly name: string;
  readonly pid: number;
  /** When it was started, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ending>;
  /** Sends a signal; false when it has ended already. */
  kill(signal?: NodeJS.Signals): boolean;
}

interface Worker {
  readonly launched: Launched;
  readonly worker: ServiceWorker;
}

/** The processes of one service. */
export class ServiceChildren {
  readonly #grace: () => number;
  readonly #workers = new Set<Worker>();
  /** Of two with the same name the second does not get far: it is the first that has it. */
  readonly #services = new Set<{ readonly name: string; readonly launched: Launched }>();
  #stopped = false;

  constructor(grace: () => number) {
    this.#grace = grace;
  }

  /** The workers that run, in the order in which they were started. Several may have the same name. */
  get workers(): readonly ServiceWorker[] {
    return [...this.#workers].map(({ worker }) => worker);
  }

  /** A service that was started from here and still runs. */
  service(name: string): Launched | undefined {
    for (const service of this.#services) if (service.name === name) return service.launched;
    return undefined;
  }

  /** True for a process of a worker. */
  has({ pid }: ChildProcess): boolean {
    return [...this.#workers].some(({ worker }) => worker.pid === pid);
  }

  /** Takes a worker in, until it ends. */
  addWorker(name: string, launched: Launched): ServiceWorker {
    const worker: ServiceWorker = {
      name,
      pid: launched.childPid ?? 0,
      startedAt: Date.now(),
      ended: launched.ended,
      kill: (signal = 'SIGTERM') => launched.kill(signal),
    };
    const entry = { launched, worker };
    this.#workers.add(entry);
    this.#added(launched);
    void launched.ended.then(() => setImmediate(() => this.#workers.delete(entry)));
    return worker;
  }

  /** Takes a nested service in, until it ends. */
  addService(name: string, launched: Launched): void {
    const entry = { name, launched };
    this.#services.add(entry);
    this.#added(launched);
    void launched.gone.then(() => this.#services.delete(entry));
  }

  /** Ends all of them, and those that are added meanwhile: SIGTERM, after the grace SIGKILL. Resolves when none runs any more. */
  async stop(): Promise<void> {
    const stopped = new Set<Launched>();
    for (;;) {
      const more = this.#all().filter((launched) => !stopped.has(launched));
      if (more.length === 0) break;
      for (const launched of more) stopped.add(launched);
      await Promise.all(more.map((launched) => launched.stop(this.#grace())));
    }
    this.#stopped = true;
  }

  /** What the `exit` event can do: SIGKILL for workers; nested services see the end of their pipe. */
  killAll(): void {
    for (const { launched } of this.#workers) launched.kill('SIGKILL');
  }

  #all(): Launched[] {
    return [...this.#workers, ...this.#services].map(({ launched }) => launched).reverse();
  }

  /** What is started when all the others have been ended is ended too. */
  #added(launched: Launched): void {
    if (this.#stopped) void launched.stop(this.#grace());
  }
}
