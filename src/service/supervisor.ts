/**
 * A supervisor: services that are started in order, started again when they fail, and ended in reverse, as Erlang's do it.
 *
 * States: starting, running, stopping, ended. What happens to children is dealt with one after the other: a restart is done
 * before the next end is looked at. A supervisor holds nothing that a child needs: when its own process is killed, each child
 * sees the end of its pipe, and ends.
 */
import { EventEmitter } from 'node:events';
import { IpcError, quote, warn } from '../errors.ts';
import { deferred } from '../launch/deferred.ts';
import type { ShutdownReport, Spawn } from '../spawn/spawn.ts';
import type { Answers } from './answers.ts';
import { ServicePeer } from './peer.ts';
import { RestartLimit } from './restart-limit.ts';
import type { SupervisedChild } from './supervised-child.ts';
import type { ResolvedSupervision, SupervisedExit, SupervisorEvents } from './supervisor-options.ts';

/** What a {@link Supervisor} is made of. */
export interface SupervisorParts {
  readonly supervision: ResolvedSupervision;
  readonly answers: Answers;
  readonly bus: Spawn | undefined;
  readonly ipcmInfo: string;
  /** True when whom it is part of is ending, and will stop it. */
  isOver(): boolean;
  children(supervisor: Supervisor): readonly SupervisedChild[];
}

/** A child, as `Supervisor.children` shows it. */
export interface SupervisedState {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly restarts: number;
}

const endings = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Services under supervision. Made by `ipcmSupervise`; keeps the process alive until it has ended. */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  /** Info of the bus. */
  readonly ipcmInfo: string;
  /** The bus, if it was made for this supervisor; it is shut down with it. */
  readonly bus: Spawn | undefined;
  readonly #supervision: ResolvedSupervision;
  readonly #limit: RestartLimit;
  readonly #answers: Answers;
  readonly #isPartOver: () => boolean;
  readonly #children: readonly SupervisedChild[];
  readonly #ended = deferred<ShutdownReport | undefined>();
  readonly #alive = setInterval(() => undefined, 2 ** 30);
  #state: 'starting' | 'running' | 'stopping' | 'ended' = 'starting';
  #work: Promise<void> = Promise.resolve();
  /** Those that ended while others were still starting. */
  readonly #early: { readonly child: SupervisedChild; readonly error: Error | undefined }[] = [];
  #unlisten: () => void = () => undefined;

  /** Not for callers: use `ipcmSupervise`. */
  constructor(parts: SupervisorParts) {
    super();
    this.ipcmInfo = parts.ipcmInfo;
    this.bus = parts.bus;
    this.#supervision = parts.supervision;
    this.#limit = new RestartLimit(parts.supervision.intensity, parts.supervision.period);
    this.#answers = parts.answers;
    this.#isPartOver = () => parts.isOver();
    this.#children = parts.children(this);
    // Whoever is interested asks.
    this.#ended.promise.catch(() => undefined);
  }

  /** `starting`, `running`, `stopping`, then `ended`. */
  get state(): 'starting' | 'running' | 'stopping' | 'ended' {
    return this.#state;
  }

  /** The children, in the order in which they are started. */
  get children(): readonly SupervisedState[] {
    return this.#children.map(({ name, pid, restarts }) => ({ name, pid, restarts }));
  }

  /** Resolves when it has stopped, as `stop` does; rejects with `IPCM_RESTART_LIMIT` when it has given up. */
  get ended(): Promise<ShutdownReport | undefined> {
    return this.#ended.promise;
  }

  /** A child, to send requests to: by its name, whichever process stands behind it. Throws `IPCM_INVALID_OPTION`. */
  child<Request = unknown, Response = unknown>(name: string): ServicePeer<Request, Response> {
    if (!this.#children.some((child) => child.name === name)) {
      throw new IpcError('IPCM_INVALID_OPTION', `child: this supervisor has no child ${quote(name)}`, { peer: name });
    }
    const { client, requests } = this.#answers;
    return new ServicePeer({ name, client, requests, childPid: undefined });
  }

  /**
   * Ends all children in reverse order, each when the one before has ended, and the bus, if it was made for this supervisor.
   * Resolves to the report of the bus's shutdown; rejects as `Spawn.shutdown` does, with everything ended all the same. What
   * made a supervisor give up is told by `ended` and `gaveUp`, not here. Doing it twice is fine.
   */
  async stop(): Promise<ShutdownReport | undefined> {
    if (this.#state !== 'ended' && this.#state !== 'stopping') this.#end(undefined);
    try {
      return await this.#ended.promise;
    } catch (error) {
      if (error instanceof IpcError && error.code === 'IPCM_RESTART_LIMIT') return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Not for callers: starts the children, in order. Rejects with what one of them rejects with, all being ended then. */
  async begin(handleSignals: boolean): Promise<void> {
    if (handleSignals) this.#listen();
    // Its children are told as well, when the bus is shut down, and shall not be started again.
    this.#answers.listen(() => {
      if (this.#state === 'starting' || this.#state === 'running') this.#end(undefined);
    });
    const started = this.#startAll();
    // What is asked for meanwhile is done behind it.
    this.#enqueue(() => started.catch(() => undefined));
    try {
      await started;
    } catch (error) {
      // A stop that was asked for meanwhile is what made it fail.
      if (this.#state === 'starting') await this.#fail(error);
      else await this.stop();
      throw error;
    }
    if (this.#state === 'starting') this.#state = 'running';
    for (const { child, error } of this.#early) this.#enqueue(() => this.#restart(child, error));
  }

  /** Not for callers: a child has ended by itself. */
  exited(child: SupervisedChild, exit: SupervisedExit): void {
    this.#tell('exited', exit);
    const { restart = 'permanent' } = child.spec;
    const failed = exit.code !== 0 || exit.signal !== null;
    if (restart === 'temporary' || (restart === 'transient' && !failed)) return;
    const { error } = exit;
    if (this.#state === 'starting') this.#early.push({ child, error });
    else this.#enqueue(() => this.#restart(child, error));
  }

  async #startAll(): Promise<void> {
    for (const child of this.#children) if (this.#state === 'starting') await this.#start(child);
  }

  async #start(child: SupervisedChild): Promise<void> {
    const { name } = child;
    const pid = await child.start();
    this.#tell('started', { name, pid });
    if (child.restarts > 0) this.#tell('restarted', { name, pid, restarts: child.restarts });
  }

  /** Starts a child again, with those that its end concerns; until all run, or it has been tried too often. */
  async #restart(failed: SupervisedChild, error: Error | undefined): Promise<void> {
    let [child, cause] = [failed, error];
    // Another child's end may have brought it back.
    while (!(await this.#isOver()) && !child.running) {
      if (!this.#limit.allows()) {
        this.#end(this.#givingUp(child, cause));
        return;
      }
      try {
        for (const each of await this.#affected(child)) {
          child = each;
          if (this.#state === 'running') await this.#start(each);
        }
        return;
      } catch (problem) {
        cause = problem instanceof Error ? problem : new Error(String(problem));
        this.#tell('exited', { name: child.name, pid: undefined, code: null, signal: null, error: cause });
      }
    }
  }

  /** True where nothing is to be started any more. */
  async #isOver(): Promise<boolean> {
    // A child may end of what this supervisor has not read yet.
    await this.#answers.messages().catch(() => undefined);
    return this.#state !== 'running' || this.#isPartOver();
  }

  /** Who is to be started now that a child has ended; those of them that run are ended first. */
  async #affected(child: SupervisedChild): Promise<readonly SupervisedChild[]> {
    const { strategy } = this.#supervision;
    if (strategy === 'oneForOne') return [child];
    const from = strategy === 'oneForAll' ? 0 : this.#children.indexOf(child);
    const affected = this.#children.slice(from);
    await stopAll(affected);
    return affected.filter((each) => each === child || each.spec.restart !== 'temporary');
  }

  #givingUp({ name }: SupervisedChild, cause: Error | undefined): IpcError {
    const { intensity, period } = this.#supervision;
    const text =
      `ipcmSupervise: gave up: ${quote(name)} has ended, and there have been ${intensity} restarts in ${period} ms ` +
      'already; see what it ends with, or raise intensity';
    return new IpcError('IPCM_RESTART_LIMIT', text, { peer: name, cause, details: { child: name, intensity, period } });
  }

  /** Stops, behind what is being done; with an error, as a failure. */
  #end(error: IpcError | undefined): void {
    this.#state = 'stopping';
    for (const child of this.#children) child.interrupt();
    this.#enqueue(async () => {
      try {
        const report = await this.#finish();
        if (error === undefined) this.#ended.resolve(report);
      } catch (problem) {
        if (error === undefined) this.#ended.reject(problem);
      }
      if (error === undefined) return;
      this.#ended.reject(error);
      if (this.listenerCount('gaveUp') > 0) this.#tell('gaveUp', error);
      else warn(error);
    });
  }

  async #fail(error: unknown): Promise<void> {
    this.#state = 'stopping';
    await this.#finish().catch(() => undefined);
    this.#ended.reject(error);
  }

  async #finish(): Promise<ShutdownReport | undefined> {
    try {
      await stopAll(this.#children);
      await this.#answers.close(new IpcError('IPCM_NOT_CONNECTED', 'the supervisor stopped before the answer came'));
      return await this.bus?.shutdown();
    } finally {
      this.#state = 'ended';
      clearInterval(this.#alive);
      this.#unlisten();
    }
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
  }

  /** From a task of its own: a listener that throws is an uncaught exception, and does not stop the supervision. */
  #tell<Name extends keyof SupervisorEvents>(name: Name, ...args: SupervisorEvents[Name]): void {
    queueMicrotask(() => this.emit(name, ...(args as never)));
  }

  #listen(): void {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) {
        this.#unlisten();
        process.kill(process.pid, signal);
        return;
      }
      asked = true;
      this.stop().catch((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)));
    };
    for (const signal of endings) process.on(signal, onSignal);
    this.#unlisten = () => {
      for (const signal of endings) process.off(signal, onSignal);
    };
  }
}

/** Last first, each when the one behind it has ended. */
async function stopAll(children: readonly SupervisedChild[]): Promise<void> {
  for (const child of children.toReversed()) await child.stop();
}
