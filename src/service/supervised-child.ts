/** One child of a supervisor: a name, and the process that stands behind it at the moment. */
import type { Client } from '../client/client.ts';
import type { CodeReference } from '../launch/assignment.ts';
import type { Ending, Launched } from '../launch/launched.ts';
import { launch } from '../launch/spares.ts';
import { within } from '../launch/timer.ts';
import { assignmentOf } from './assign.ts';
import type { SupervisedExit, SupervisedService } from './supervisor-options.ts';

/** What a child needs of its supervisor. */
export interface SupervisedChildPort {
  readonly ipcmInfo: string;
  readonly client: Client;
  /** The process ended, and nobody asked it to. */
  exited(child: SupervisedChild, exit: SupervisedExit): void;
}

/** Milliseconds to end when asked to, unless told otherwise. */
const defaultGrace = 5000;

/** A supervised service. */
export class SupervisedChild {
  readonly spec: SupervisedService;
  readonly #code: CodeReference;
  readonly #port: SupervisedChildPort;
  #launched: Launched | undefined;
  #pid: number | undefined;
  #restarts = -1;
  #starting: Launched | undefined;

  constructor(spec: SupervisedService, code: CodeReference, port: SupervisedChildPort) {
    this.spec = spec;
    this.#code = code;
    this.#port = port;
  }

  get name(): string {
    return this.spec.name;
  }

  /** Process id of the service; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** How often it has been started again. */
  get restarts(): number {
    return Math.max(0, this.#restarts);
  }

  /** True between a start and an end. */
  get running(): boolean {
    return this.#launched !== undefined;
  }

  /** Starts it, and resolves to its process id when it is ready. Rejects as `ipcmService` does, with nothing left of it. */
  async start(): Promise<number> {
    const { name, options = {} } = this.spec;
    const launched = launch('ipcmSupervise', `service "${name}"`, options);
    this.#starting = launched;
    try {
      launched.assign(assignmentOf(name, this.#port.ipcmInfo, this.#code, { ...options, nested: true }));
      this.#pid = await launched.ready(options.startTimeout);
    } catch (error) {
      launched.release();
      launched.kill('SIGKILL');
      await launched.ended;
      throw error;
    } finally {
      this.#starting = undefined;
    }
    this.#launched = launched;
    this.#restarts++;
    void launched.over().then((ending) => this.#lost(launched, ending));
    return this.#pid;
  }

  /**
   * Asks it to end by a terminate message, or by SIGTERM where that cannot be sent, or is not taken in half of its grace; after
   * its grace it is killed.
   */
  async stop(): Promise<void> {
    const launched = this.#launched;
    if (launched === undefined) return;
    this.#forget();
    const [begin, over] = [performance.now(), launched.over()];
    let isTold = false;
    const tried = this.#port.client.tryMessage(this.name, { terminate: 1 }).then(
      ({ sent }) => (isTold = sent),
      () => undefined,
    );
    await within(this.#grace / 2, Promise.race([tried, over]));
    if (!isTold) launched.kill('SIGTERM');
    if (!(await within(this.#grace - (performance.now() - begin), over))) launched.kill('SIGKILL');
    // One that no signal of ours reaches sees that nobody holds it any more.
    launched.release();
    await over;
  }

  /** Asks one that is starting to give up; after its grace it is killed. */
  interrupt(): void {
    const starting = this.#starting;
    if (starting?.kill('SIGTERM') !== true) return;
    void within(this.#grace, starting.ended).then((ended) => ended || starting.kill('SIGKILL'));
  }

  get #grace(): number {
    return this.spec.grace ?? defaultGrace;
  }

  #lost(launched: Launched, ending: Ending): void {
    if (this.#launched !== launched) return;
    const pid = this.#pid;
    this.#forget();
    this.#port.exited(this, { name: this.name, pid, ...ending, error: launched.failure });
  }

  #forget(): void {
    this.#launched = undefined;
    this.#pid = undefined;
  }
}
