/**
 * A process that this one has started, with the private pipe between them.
 *
 * States: starting, until it says that it is ready or that it failed, or the pipe ends; running; ended. What is known of a
 * failure - the error that the child sent, the end of its stderr, how it ended - goes into one error. Nothing of it keeps
 * this process alive once the child is ready.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Stream } from 'node:stream';
import { IpcError, quote } from '../errors.ts';
import type { Assignment, ChildReport, Daemonize } from './assignment.ts';
import { deferred } from './deferred.ts';
import { errorOf, type ErrorRecord } from './errors.ts';
import { FrameReader, frameOf } from './frames.ts';
import { outputDescriptor, planOf, type LaunchOptions, type OutputTarget } from './options.ts';
import { Tail } from './tail.ts';

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
  readonly #gone = deferred<void>();
  readonly #exited = deferred<Ending>();
  #ending: Ending | undefined;
  #failure: ErrorRecord | undefined;
  #spawnError: Error | undefined;

  /** Starts `program`; nothing of it runs before {@link assign}. `what` names it in errors: `service "echo"`. */
  constructor(call: string, what: string, program: string, options: LaunchOptions & Inheritance) {
    this.#call = call;
    this.#what = what;
    this.#daemon = options.daemonize === true;
    const fallback = this.#daemon ? 'ignore' : 'inherit';
    this.#inherit = options.inherit ?? [];
    this.#child = start(planOf(program, options), {
      stdout: options.stdout ?? fallback,
      stderr: options.stderr ?? fallback,
      inherit: this.#inherit,
    });
    const control = this.#child.stdio[3];
    if (!(control instanceof process.getBuiltinModule('node:net').Socket)) {
      throw new TypeError('a pipe of a child is a socket');
    }
    this.#control = control;
    this.#listen();
    // Whoever is interested asks; a promise that nobody asked for is no accident.
    this.#ready.promise.catch(() => undefined);
  }

  /** Process id of the first child: for a daemon, of the process that went away after starting it. */
  get childPid(): number | undefined {
    return this.#child.pid;
  }

  /** True until the first child has ended. */
  get running(): boolean {
    return this.#ending === undefined;
  }

  /** Resolves when the first child has ended. */
  get ended(): Promise<Ending> {
    return this.#exited.promise;
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

  /**
   * Resolves to the pid of the process that is ready. Rejects at once with `IPCM_SERVICE_FAILED` when it will never be,
   * with its error as the cause and the end of its stderr; with `IPCM_TIMEOUT` when it takes longer than the option says.
   */
  async ready(timeout: number = defaultStartTimeout): Promise<number> {
    this.#child.ref();
    this.#control.ref();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#late(timeout)), timeout);
    });
    try {
      return await Promise.race([this.#ready.promise, late]);
    } finally {
      clearTimeout(timer);
      this.#unref();
    }
  }

  /** Lets go: to the child it is as if this process had ended. A daemon does not mind. */
  release(): void {
    this.#control.destroy();
  }

  /** Sends a signal to the first child; false when it has ended already. */
  kill(signal: NodeJS.Signals): boolean {
    return this.running && this.#child.kill(signal);
  }

  /**
   * Asks it to end by SIGTERM, if it has not by itself after `patience` milliseconds, and by SIGKILL after another `grace`;
   * a daemon is let go. Resolves when it has ended.
   */
  async stop(grace: number, patience = 0): Promise<void> {
    this.release();
    if (this.#daemon || !this.running) return;
    this.#child.ref();
    if (patience > 0 && (await this.#endsIn(patience))) return;
    this.kill('SIGTERM');
    if (await this.#endsIn(grace)) return;
    this.kill('SIGKILL');
    await this.ended;
  }

  /** True when it has ended in so many milliseconds. */
  async #endsIn(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
    await Promise.race([this.ended, over]);
    clearTimeout(timer);
    return !this.running;
  }

  #listen(): void {
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
      this.#spawnError = error;
      this.#control.destroy();
      this.#exit({ code: null, signal: null });
    });
    this.#child.once('exit', (code, signal) => this.#exit({ code, signal }));
    const { stderr } = this.#child;
    if (stderr !== null) this.#tail.follow(stderr);
    this.#unref();
  }

  #unref(): void {
    this.#child.unref();
    this.#control.unref();
  }

  #heard(report: ChildReport): void {
    if (report.event === 'ready') this.#ready.resolve(report.pid);
    else this.#failure = report.error;
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

  #late(timeout: number): IpcError {
    const said = this.#tail.text === '' ? '' : `; the end of its stderr:\n${this.#tail.text}`;
    return new IpcError(
      'IPCM_TIMEOUT',
      `${this.#call}: ${this.#what} was not ready in ${timeout} ms; raise startTimeout, or look what its start waits for${said}`,
      { pid: this.#child.pid ?? 0, details: { stderr: this.#tail.text } },
    );
  }
}

/** What is undefined was not given, but in the params, which are somebody else's. */
function given({ params, code, settings, ...rest }: Assignment): object {
  const connect = settings['connect'];
  const told = typeof connect === 'object' && connect !== null ? { ...settings, connect: defined(connect) } : settings;
  return defined({ ...rest, params, code: code === undefined ? code : defined(code), settings: defined(told) });
}

function defined(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

interface Outputs {
  readonly stdout: OutputTarget;
  readonly stderr: OutputTarget;
  readonly inherit: readonly Stream[];
}

function start({ command, env, cwd }: ReturnType<typeof planOf>, { stdout, stderr, inherit }: Outputs): ChildProcess {
  const [file = '', ...args] = command;
  const opened = [outputDescriptor(stdout), stderr === 'inherit' ? 'pipe' : outputDescriptor(stderr)] as const;
  const stdio: StdioOptions = ['ignore', ...opened, 'pipe', ...inherit];
  try {
    // Loaded when it is needed: most services start no others.
    return process.getBuiltinModule('node:child_process').spawn(file, args, { env, cwd, stdio });
  } catch (error) {
    throw new IpcError('IPCM_SERVICE_FAILED', `${quote(file)} cannot be started: ${String(error)}`, { cause: error });
  } finally {
    for (const descriptor of opened) if (typeof descriptor === 'number') closeSync(descriptor);
  }
}
