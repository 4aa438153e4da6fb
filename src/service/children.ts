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
  readonly #services = new Map<string, Launched>();

  constructor(grace: () => number) {
    this.#grace = grace;
  }

  /** The workers that run, in the order in which they were started. Several may have the same name. */
  get workers(): readonly ServiceWorker[] {
    return [...this.#workers].map(({ worker }) => worker);
  }

  /** A service that was started from here and still runs. */
  service(name: string): Launched | undefined {
    return this.#services.get(name);
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
    void launched.ended.then(() => setImmediate(() => this.#workers.delete(entry)));
    return worker;
  }

  /** Takes a nested service in, until it ends. */
  addService(name: string, launched: Launched): void {
    this.#services.set(name, launched);
    void launched.gone.then(() => {
      if (this.#services.get(name) === launched) this.#services.delete(name);
    });
  }

  /** Ends all of them: SIGTERM, after the grace SIGKILL. Resolves when none runs any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#all().map((launched) => launched.stop(this.#grace())));
  }

  /** What the `exit` event can do: SIGKILL for workers; nested services see the end of their pipe. */
  killAll(): void {
    for (const { launched } of this.#workers) launched.kill('SIGKILL');
  }

  #all(): Launched[] {
    return [...[...this.#workers].map(({ launched }) => launched), ...this.#services.values()].reverse();
  }
}
