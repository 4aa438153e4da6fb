/** The processes of the demo, seen from their parent: started together, watched, and never left behind. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { CommandError, exitCodes } from '../exit.ts';

/** Where a child finds the pipe that closes when its parent ends, even by kill -9. */
export const leashDescriptor = 3;

/** As much of a child's stderr is kept, in characters. */
const keptTalk = 4000;

interface Member {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  talk: string;
}

/** A group of child processes; one that fails fails them all. */
export class Family {
  /** Rejects when a child fails. */
  readonly failed: Promise<never>;
  readonly #members: Member[] = [];
  readonly #killAll = (): void => this.#kill();
  #fail: (error: Error) => void = () => undefined;

  constructor() {
    this.failed = new Promise<never>((_resolve, reject) => (this.#fail = reject));
    // Nobody may be racing against it at the moment of failure.
    this.failed.catch(() => undefined);
    // A second Ctrl-C exits without further ado; the children go first, so that they cannot write to a removed store.
    process.prependListener('exit', this.#killAll);
  }

  /** Starts this command again in another process. */
  start(name: string, args: readonly string[], env: NodeJS.ProcessEnv, stdin: 'inherit' | 'ignore'): void {
    const [script] = process.argv.slice(1);
    if (script === undefined) throw new Error('the command does not know where its script is');
    const stdio: StdioOptions = [stdin, 'inherit', 'pipe', 'pipe'];
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], { env, stdio });
    const member: Member = {
      name,
      child,
      talk: '',
      ended: new Promise((resolve) => {
        child.once('error', (error) => {
          this.#fail(error);
          resolve();
        });
        child.once('close', (code, signal) => {
          if (code !== 0) this.#fail(this.#obituary(member, code, signal));
          resolve();
        });
      }),
    };
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (member.talk = (member.talk + text).slice(-keptTalk)));
    this.#members.push(member);
  }

  /** Resolves when all children have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#members.map(({ ended }) => ended));
    process.off('exit', this.#killAll);
  }

  /** Ends those that still run, at once, and resolves when they have ended. */
  async kill(): Promise<void> {
    this.#kill();
    await this.ended();
  }

  #kill(): void {
    for (const { child } of this.#members)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }

  #obituary({ name, child, talk }: Member, code: number | null, signal: NodeJS.Signals | null): Error {
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    const exitCode = signal === null ? (code ?? exitCodes.failure) : exitCodes.peerGone;
    const said = talk.trim();
    return new CommandError(
      'IPCM_PEER_GONE',
      `demo: the process of ${name} (pid ${child.pid}) ${how}, so the counts would be wrong${said === '' ? '' : `; it said:\n${said}`}`,
      exitCode,
    );
  }
}
