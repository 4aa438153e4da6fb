/** How a process is started: which interpreter, with which flags, in which surroundings. */
import { openSync } from 'node:fs';
import { IpcError, quote } from '../errors.ts';

/** Where a stream of the child goes. A file is appended to, and made with mode 0600 where it is missing. */
export type OutputTarget = 'inherit' | 'ignore' | { readonly file: string };

/** What is about to be run; `preFork` may change it. */
export interface LaunchPlan {
  /** The program and its arguments. They must run `interpreter`, be it through others. */
  command: string[];
  env: Record<string, string | undefined>;
  cwd: string | undefined;
}

/** Options of whatever starts a process. */
export interface LaunchOptions {
  /** Another Node binary. Default: that of this process. */
  readonly execPath?: string | undefined;
  /** Flags of the interpreter. Default: those of this process. */
  readonly execArgv?: readonly string[] | undefined;
  /** A command that is put before the interpreter and runs it, such as `['nice', '-n', '10']`. */
  readonly wrapper?: readonly string[] | undefined;
  /** Environment variables beside those of this process; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  /** Default: `inherit`; for a daemon `ignore`. */
  readonly stdout?: OutputTarget | undefined;
  /** Default: `inherit`, by way of this process; for a daemon `ignore`. */
  readonly stderr?: OutputTarget | undefined;
  /**
   * Run it as a daemon: detached from this process, its terminal and its session, so that it does not end with them.
   * It needs a bus that outlives this process.
   */
  readonly daemonize?: boolean | undefined;
  /** Called with the plan just before the start; may change it. */
  readonly preFork?: ((plan: LaunchPlan) => void) | undefined;
  /** Milliseconds that it may take until it is ready. Default 30,000. */
  readonly startTimeout?: number | undefined;
}

/** Flags that concern this process alone, and would make a child do something else than its work. */
const own =
  /^(?:-[ep]+|--eval|--print|--check|-c|-i|--interactive|--test(?:-.*)?|--watch(?:-.*)?|--run|--inspect(?:-.*)?|--input-type)(?:=|$)/;
/** Those of them whose value is the next argument. */
const withValue = /^(?:-[ep]+|--eval|--print|--input-type|--run|--watch-path)$/;

/** The plan for a program of ours. */
export function planOf(program: string, options: LaunchOptions): LaunchPlan {
  const interpreter = [options.execPath ?? process.execPath, ...(options.execArgv ?? inheritedFlags()), program];
  const plan: LaunchPlan = {
    command: [...(options.wrapper ?? []), ...interpreter],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  };
  options.preFork?.(plan);
  if (
    Array.isArray(plan.command) &&
    plan.command.every((part) => typeof part === 'string') &&
    plan.command.length > 0
  ) {
    return plan;
  }
  throw new IpcError('IPCM_INVALID_OPTION', `preFork left a command that cannot be run: ${quote(plan.command)}`);
}

/** Opens the target of an output; the descriptor, if any, is to be closed by the caller. */
export function outputDescriptor(
  target: 'inherit' | 'ignore' | { readonly file: string },
): number | 'inherit' | 'ignore' {
  return typeof target === 'string' ? target : openSync(target.file, 'a', 0o600);
}

function inheritedFlags(): string[] {
  const flags: string[] = [];
  let skip = false;
  for (const flag of process.execArgv) {
    if (skip) skip = false;
    else if (!own.test(flag)) flags.push(flag);
    else skip = withValue.test(flag);
  }
  return flags;
}
