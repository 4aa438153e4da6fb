/** A child process of the suite, seen from the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Answer, ChildEvent, Commands, ConnectArguments } from './child-commands.ts';

/** The program, in the form in which this file itself runs: from source or built. */
const program = fileURLToPath(new URL(`../testing/child${extname(import.meta.url)}`, import.meta.url));

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An error that a child reported: its message, and the code if it was an error of the bus. */
export class ChildError extends Error {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** How to start one. */
export interface ChildOptions {
  /** Start it from a shell that can be stopped, so that it stays a zombie when killed. */
  readonly shell?: boolean | undefined;
}

/** A running child. */
export class ChildClient {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #events = new EventEmitter<{ [K in ChildEvent['event']]: [] }>();
  readonly #said = new Set<ChildEvent['event']>();
  readonly #ended: Promise<Ending>;
  #stderr = '';
  #next = 0;
  #pid = 0;

  private constructor(options: ChildOptions) {
    // NODE_TEST_CONTEXT would make a child's output part of the test report.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const command = [process.execPath, program];
    // A shell gives a command in the background no stdin unless it is handed over by another number.
    const [file = '', ...args] =
      options.shell === true ? ['sh', '-c', 'exec 3<&0; "$0" "$1" <&3 & wait', ...command] : command;
    this.#process = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#ended = new Promise((resolve) => this.#process.once('close', (code, signal) => resolve({ code, signal })));
    const { stdin, stdout, stderr } = this.#process;
    // A child that was killed reads no more; that it is gone is told by its end.
    stdin?.on('error', () => undefined);
    stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4000)));
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#heard(line));
    void this.#ended.then(() => this.#lost());
  }

  /** Starts a child; resolves when it is ready for commands. */
  static async start(options: ChildOptions = {}): Promise<ChildClient> {
    const child = new ChildClient(options);
    await child.event('ready');
    return child;
  }

  /** The process that is the bus's client: not the shell around it. */
  get pid(): number {
    return this.#pid;
  }

  /** The process that the test started: the child, or the shell around it. */
  get outerPid(): number {
    return this.#process.pid ?? 0;
  }

  /** True until the process that the test started has ended and has been collected. */
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves when the process has ended and all it said has been read. */
  get ended(): Promise<Ending> {
    return this.#ended;
  }

  /** The end of what it wrote to stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Gives a command and awaits its answer; rejects with a `ChildError`, also when the child ends instead of answering. */
  async call<K extends keyof Commands>(command: K, args: Commands[K][0]): Promise<Commands[K][1]> {
    const id = ++this.#next;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    if (this.running) this.#process.stdin?.write(`${JSON.stringify({ id, command, args })}\n`);
    else this.#lost();
    return (await answer) as Commands[K][1];
  }

  /** Gives a command that ends the child, and awaits the end. */
  async last(
    command: 'exit' | 'fail' | 'sendAndExit',
    args: Commands['exit'][0] | Commands['fail'][0] | Commands['sendAndExit'][0],
  ): Promise<Ending> {
    const answer = this.call(command, args);
    // The end takes the place of an answer; only an error that came first is one.
    const failed = answer.then(
      () => undefined,
      (error: unknown) => (error instanceof ChildError && error.code !== undefined ? error : undefined),
    );
    const ending = await this.#ended;
    const error = await failed;
    if (error !== undefined) throw error;
    return ending;
  }

  /** Connects it to a bus. */
  async connect(args: ConnectArguments): Promise<void> {
    await this.call('connect', args);
  }

  /** Resolves when the child has said this, now or before. */
  async event(name: ChildEvent['event']): Promise<void> {
    if (this.#said.has(name)) return;
    await Promise.race([
      once(this.#events, name),
      this.#ended.then(() => {
        if (!this.#said.has(name)) throw this.#gone();
      }),
    ]);
  }

  /** Ends it, whatever state it is in, and waits until it has been collected. */
  async destroy(): Promise<void> {
    if (this.running) {
      for (const pid of new Set([this.#pid, this.outerPid])) {
        if (pid > 0) kill(pid, 'SIGKILL');
      }
      // A stopped shell would neither die of the pipe's end nor collect its child.
      kill(this.outerPid, 'SIGCONT');
    }
    await this.#ended;
  }

  #heard(line: string): void {
    const answer = JSON.parse(line) as Answer | ChildEvent;
    if ('event' in answer) {
      if (answer.event === 'ready') this.#pid = answer.pid;
      this.#said.add(answer.event);
      this.#events.emit(answer.event);
      return;
    }
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ('error' in answer) pending?.reject(new ChildError(answer.error.message, answer.error.code));
    else pending?.resolve(answer.result);
  }

  #lost(): void {
    for (const pending of this.#pending.values()) pending.reject(this.#gone());
    this.#pending.clear();
  }

  #gone(): ChildError {
    const { exitCode, signalCode } = this.#process;
    return new ChildError(
      `the child ended (${signalCode ?? exitCode}) without an answer; stderr: ${this.#stderr}`,
      undefined,
    );
  }
}

/** Sends a signal to a process that may have ended already. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended and collected meanwhile, which is what was wanted.
  }
}
