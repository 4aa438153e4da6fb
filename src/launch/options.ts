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
  /** Default: `inherit`, by way of this process (a daemon's goes there by itself); for a daemon `ignore`. */
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
/** Those of them whose value is the next argument, whatever it begins with. */
const withValue = /^(?:-[ep]+|--eval|--print)$/;

/**
 * What `node --test` of Node 24 gives to each test file unasked: the defaults of most options, which is not the same as
 * leaving them out. `--report-signal`, for one, makes SIGUSR2 write a report.
 */
const ofTestRunner =
  /^--(?:stack-trace-limit=10|report-signal=SIGUSR2|heap-prof-interval=524288|cpu-prof-interval=1000|v8-pool-size=4|trace-event-file-pattern=node_trace\.\$\{rotation\}\.log|secure-heap=0|secure-heap-min=2|tls-cipher-list=.*|use-largepages=off|max-http-header-size=16384|node-snapshot|network-family-autoselection-attempt-timeout=\d+|heapsnapshot-near-heap-limit=0)$/;

/** The plan for a program of ours. */
export function planOf(program: string, options: LaunchOptions): LaunchPlan {
  const { startTimeout = 0 } = options;
  if (!(startTimeout >= 0)) {
    throw new IpcError('IPCM_INVALID_OPTION', `startTimeout is a number of milliseconds, not ${quote(startTimeout)}`);
  }
  const interpreter = [
    options.execPath ?? process.execPath,
    ...(options.execArgv ?? inheritedFlags(process.execArgv, process.env)),
    program,
  ];
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

/** Opens the target of an output; the descriptor, if any, is to be closed by the caller. Throws `IPCM_INVALID_OPTION`. */
export function outputDescriptor(target: OutputTarget): number | 'inherit' | 'ignore' {
  if (typeof target === 'string') return target;
  try {
    return openSync(target.file, 'a', 0o600);
  } catch (cause) {
    const text = `an output cannot go to the file ${quote(target.file)}: ${String(cause)}; name one that can be written to`;
    throw new IpcError('IPCM_INVALID_OPTION', text, { cause });
  }
}

/** Those of an interpreter's flags that are for its children too. */
export function inheritedFlags(given: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const isTest = env['NODE_TEST_CONTEXT'] !== undefined;
  const flags: string[] = [];
  let [left, value] = [false, false];
  for (const flag of given) {
    // What is no flag is the value of the one before.
    if (value || (left && !flag.startsWith('-'))) {
      value = false;
      continue;
    }
    left = own.test(flag);
    value = left && withValue.test(flag);
    if (!left && (!isTest || !ofTestRunner.test(flag))) flags.push(flag);
  }
  return flags;
}
