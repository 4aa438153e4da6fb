/**
 * A process that this one has started, with the private pipe between them.
 *
 * States: starting, until it says that it is ready or that it failed, or the pipe ends; running; ended. What is known of a
 * failure - the error that the child sent, the end of its stderr, how it ended - goes into one error. Nothing of it keeps
 * this process alive once the child is ready.
 */
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Stream } from 'node:stream';
import { IpcError } from '../errors.ts';
import type { ProcessIdentity } from '../liveness/identity.ts';
import { given, type Assignment, type ChildReport, type Daemonize, type Kept } from './assignment.ts';
import { deferred } from './deferred.ts';
import { errorOf, type ErrorRecord } from './errors.ts';
import { FrameReader, frameOf } from './frames.ts';
import { planOf, type LaunchOptions, type LaunchPlan } from './options.ts';
import { ReadyProcess } from './ready-process.ts';
import { notStarted, startProcess } from './start-process.ts';
import { Tail } from './tail.ts';
import { within } from './timer.ts';

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a process gets beside the private pipe. */
export interface Inheritance {
  /** Streams that it holds open from descriptor 4 on. */
  readonly inherit?: readonly Stream[] | undefined;
}

/** Milliseconds until a process that starts is given up, unless told otherwise. */
const defaultStartTimeout = 30_000;
/** Milliseconds for the rest of stderr, and the exit status, to come in once the pipe has ended. */
const afterwards = 1000;
/** Milliseconds between looks whether a process that is no child of this one has ended. */
const interval = 50;

/** A started process. */
export class Launched {
  #call: string;
  #what: string;
  readonly #child: ChildProcess;
  readonly #control: Socket;
  readonly #tail = new Tail();
  readonly #daemon: boolean;
  readonly #inherit: readonly Stream[];
  readonly #ready = deferred<number>();
  /** What stands behind a wrapper, or is a daemon; the first child stands for itself. */
  #behind: ReadyProcess | undefined;
  /** True when the start has been given up. */
  #late = false;
  readonly #gone = deferred<void>();
  readonly #exited = deferred<Ending>();
  #ending: Ending | undefined;
  #failure: ErrorRecord | undefined;
  #spawnError: Error | undefined;
  #isHolding = false;

  /** Starts `program`; nothing of it runs before {@link assign}. `what` names it in errors: `service "echo"`. */
  constructor(call: string, what: string, program: string, options: LaunchOptions & Inheritance) {
    this.#call = call;
    this.#what = what;
    this.#daemon = options.daemonize === true;
    const fallback = this.#daemon ? 'ignore' : 'inherit';
    this.#inherit = options.inherit ?? [];
    const plan = planOf(program, options);
    this.#child = startProcess(plan, {
      stdout: options.stdout ?? fallback,
      stderr: options.stderr ?? fallback,
      daemon: this.#daemon,
      inherit: this.#inherit,
    });
    const control = this.#child.stdio[3];
    if (!(control instanceof process.getBuiltinModule('node:net').Socket)) {
      throw new TypeError('a pipe of a child is a socket');
    }
    this.#control = control;
    this.#listen(plan);
    // Whoever is interested asks; a promise that nobody asked for is no accident.
    this.#ready.promise.catch(() => undefined);
  }

  /** Process id of the first child: for a daemon, of the process that went away after starting it. */
  get childPid(): number | undefined {
    return this.#child.pid;
  }

  /** True until the first child has ended, and the process that was ready, where that is another one. */
  get running(): boolean {
    return this.#ending === undefined || this.#behind?.alive === true;
  }

  /** Resolves when the first child has ended. */
  get ended(): Promise<Ending> {
    return this.#exited.promise;
  }

  /**
   * Resolves when the first child has ended, and the process that was ready, where that is another one; what they said is
   * known by then. A wrapper may leave others behind that hold the private pipe.
   */
  async over(): Promise<Ending> {
    const ending = await this.#exited.promise;
    await within(afterwards, this.#gone.promise);
    while (this.#behind?.alive === true) await new Promise((resolve) => setTimeout(resolve, interval));
    return ending;
  }

  /** Says whether the first child keeps this process alive until it has ended. At first it does not. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (isHolding) this.#child.ref();
    else this.#child.unref();
  }

  /** Resolves when nobody holds the private pipe any more: the process, and a daemon too, has ended. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Rejects with `IPCM_SERVICE_FAILED` when it will never be ready. */
  get failed(): Promise<never> {
    const never = this.#ready.promise.then(() => new Promise<never>(() => undefined));
    never.catch(() => undefined);
    return never;
  }

  /** The error that it ended with after it had been ready, if it told one. */
  get failure(): Error | undefined {
    return this.#failure === undefined ? undefined : errorOf(this.#failure);
  }

  /** It was started ahead, and now it is known for what. */
  rename(call: string, what: string): void {
    this.#call = call;
    this.#what = what;
  }

  /** Says what to do. Throws `IPCM_INVALID_OPTION` where the params cannot be cloned. */
  assign(assignment: Assignment): void {
    const frame = frameOf(this.#call, given(assignment));
    // The process that starts a daemon reads one frame, the daemon the next.
    if (this.#daemon) {
      const first: Daemonize = { daemonize: true, inherit: this.#inherit.length };
      this.#control.write(frameOf(this.#call, first));
    }
    this.#control.write(frame);
  }

  /** Tells a daemon that it need not end when this process does; one that is ready is told unasked. */
  keep(): void {
    this.#control.write(frameOf(this.#call, { kept: true } satisfies Kept));
  }

  /**
   * Resolves to the pid of the process that is ready. Rejects at once with `IPCM_SERVICE_FAILED` when it will never be,
   * with its error as the cause and the end of its stderr; with `IPCM_TIMEOUT` when it takes longer than the option says.
   */
  async ready(timeout: number = defaultStartTimeout): Promise<number> {
    this.#child.ref();
    this.#control.ref();
    try {
      if (await within(timeout, this.#ready.promise)) return await this.#ready.promise;
      this.#late = true;
      throw this.#tooLate(timeout);
    } finally {
      this.#unref();
    }
  }

  /** Gives a daemon up that was not ready in time. Resolves when it has ended, or a second later. */
  async giveUp(): Promise<void> {
    this.#control.end();
    await within(afterwards, this.gone);
    this.release();
  }

  /** Lets go: to the child it is as if this process had ended. A daemon that was kept does not mind. */
  release(): void {
    this.#control.destroy();
  }

  /**
   * Sends a signal to the process that is ready, else to the first child; SIGKILL, which no wrapper can hand on, to both.
   * False when it has ended already.
   */
  kill(signal: NodeJS.Signals): boolean {
    const told = this.#behind?.kill(signal) === true;
    if (told && signal !== 'SIGKILL') return true;
    return (this.#ending === undefined && this.#child.kill(signal)) || told;
  }

  /**
   * Asks it to end by SIGTERM, if it has not by itself after `patience` milliseconds, and by SIGKILL after another `grace`.
   * Resolves when it has ended.
   */
  async stop(grace: number, patience = 0): Promise<void> {
    this.release();
    if (!this.running) return;
    this.#child.ref();
    const over = this.over();
    if (patience > 0 && (await within(patience, over))) return;
    this.kill('SIGTERM');
    if (await within(grace, over)) return;
    this.kill('SIGKILL');
    await over;
  }

  #listen(plan: LaunchPlan): void {
    const reader = new FrameReader((value) => this.#heard(value as ChildReport));
    this.#control.on('data', (bytes: Buffer) => {
      try {
        reader.push(bytes);
      } catch {
        // The code that runs there has written to a descriptor that is not its own: nothing it says makes sense any more.
        this.#control.destroy();
      }
    });
    // A child that was killed: that it is gone is told by the end.
    this.#control.on('error', () => undefined);
    this.#control.once('close', () => this.#lost());
    this.#child.once('error', (error) => {
      this.#spawnError = notStarted(error, plan);
      this.#control.destroy();
      this.#exit({ code: null, signal: null });
    });
    this.#child.once('exit', (code, signal) => this.#exit({ code, signal }));
    const { stderr } = this.#child;
    if (stderr !== null) this.#tail.follow(stderr);
    this.#unref();
  }

  #unref(): void {
    if (!this.#isHolding) this.#child.unref();
    this.#control.unref();
  }

  #heard(report: ChildReport): void {
    if (report.event === 'ready') this.#heardReady(report.process);
    else this.#failure = report.error;
  }

  #heardReady(identity: ProcessIdentity): void {
    // A daemon that comes after all ends when it finds the pipe closed.
    if (this.#late) return;
    if (this.#daemon) this.keep();
    if (identity.pid !== this.#child.pid) this.#behind = new ReadyProcess(identity);
    this.#ready.resolve(identity.pid);
  }

  #exit(ending: Ending): void {
    this.#ending = ending;
    this.#exited.resolve(ending);
  }

  #lost(): void {
    this.#gone.resolve();
    // The rest of what is known comes in now; whoever waits for it holds the process.
    const wait = new Promise((resolve) => setTimeout(resolve, afterwards).unref());
    const all = Promise.all([this.#exited.promise, this.#tail.ended]);
    void Promise.race([all, wait]).then(() => this.#ready.reject(this.#failed()));
  }

  #failed(): IpcError {
    const facts = { pid: this.#child.pid ?? 0, details: { stderr: this.#tail.text, ...this.#ending } };
    const cause = this.#spawnError ?? this.failure;
    const how = this.#ending?.signal ?? `exit code ${this.#ending?.code ?? 'unknown'}`;
    const why = cause === undefined ? `it ended (${how}) before it was ready` : cause.message;
    const said =
      this.#tail.text === '' || this.failure !== undefined ? '' : `; the end of its stderr:\n${this.#tail.text}`;
    return new IpcError('IPCM_SERVICE_FAILED', `${this.#call}: ${this.#what} did not start: ${why}${said}`, {
      ...facts,
      cause,
    });
  }

  #tooLate(timeout: number): IpcError {
    const said = this.#tail.text === '' ? '' : `; the end of its stderr:\n${this.#tail.text}`;
    return new IpcError(
      'IPCM_TIMEOUT',
      `${this.#call}: ${this.#what} was not ready in ${timeout} ms; raise startTimeout, or look what its start waits for${said}`,
      { pid: this.#child.pid ?? 0, details: { stderr: this.#tail.text } },
    );
  }
}
