/** Runs the command in real processes, in a temporary directory of the test's own in which nothing may be left. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const script = join(import.meta.dirname, '../../src/command/ipcm.ts');

/** How a process ended, and all it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
}

/** A process of the command that runs. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #wrote = { stdout: '', stderr: '' };
  #changed: () => void = () => undefined;
  #isOver = false;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, [script, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        this.#wrote[stream] += text;
        this.#changed();
      });
    }
    // A process that ends before it has read its input is part of the tests.
    child.stdin.on('error', () => undefined);
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#isOver = true;
      this.#changed();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...this.#wrote };
    });
  }

  get pid(): number {
    assert.ok(this.child.pid !== undefined);
    return this.child.pid;
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  end(text = ''): void {
    this.child.stdin?.end(text);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until a stream holds what is looked for; fails if the process ends without it. */
  async until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#wrote[stream]);
      if (match !== null) return match;
      assert.ok(!this.#isOver, `ended without ${pattern}: ${JSON.stringify(this.#wrote)}`);
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  /** The first line of stdout. */
  async firstLine(): Promise<string> {
    return (await this.until('stdout', /^(.*)\n/))[1] ?? '';
  }
}

/** Where there is memory to write to, message files cost a tenth of what they cost on a disk. */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A place for a test, and the command run in it. */
export class Sandbox {
  readonly directory: string;
  readonly #processes: Running[] = [];

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(root, 'command-test-'));
    t.after(async () => {
      for (const running of this.#processes) if (running.child.exitCode === null) running.kill('SIGKILL');
      await Promise.all(this.#processes.map(({ ended }) => ended));
      const left = readdirSync(this.directory).filter((name) => name.startsWith('ipcm-'));
      rmSync(this.directory, { recursive: true });
      assert.deepEqual(left, [], 'stores left behind');
    });
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const { IPCM_INFO: _info, ...inherited } = process.env;
    const running = new Running(args, { ...inherited, TMPDIR: this.directory, ...env });
    this.#processes.push(running);
    return running;
  }

  run(args: readonly string[], { input = '', env = {} }: RunOptions = {}): Promise<Ended> {
    const running = this.start(args, env);
    running.child.stdin?.end(input);
    return running.ended;
  }

  /** A bus that ends when its stdin does; `bus.env` makes it the bus of other commands. */
  async bus(
    ...args: string[]
  ): Promise<{ readonly running: Running; readonly info: string; readonly env: NodeJS.ProcessEnv }> {
    // A protocol that can suspend, for the tests that leave a name and come back to it.
    const running = this.start(['spawn', '--protocol', 'MessageFiles', ...args]);
    const info = await running.firstLine();
    return { running, info, env: { IPCM_INFO: info } };
  }
}

/** Lines of JSON as values. */
export function values(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
