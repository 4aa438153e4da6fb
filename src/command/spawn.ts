/** `ipcm spawn`: makes a bus and holds it. */
import type { Command } from 'commander';
import { ipcmSpawn, type Spawn } from '../index.ts';
import { access } from './access.ts';
import { reportError } from './exit.ts';
import { seconds, type GlobalOptions } from './options.ts';
import { print, say, stdoutGone } from './output.ts';
import { onInterrupt } from './signals.ts';

interface SpawnCommandOptions extends GlobalOptions {
  readonly guard?: boolean;
  readonly keep?: boolean;
  readonly signal?: string;
  readonly stdin: boolean;
  readonly timeout?: number;
  readonly verbose?: boolean;
}

const examples = `
The first line on stdout is the info, which every other command takes. The bus then lives until stdin ends, or until
Ctrl-C or SIGTERM; clients are asked to end, and what was sent is compared with what was read (exit code 5 if it differs).
A terminal is not read: there, only a signal ends it. With stdin from /dev/null, as in a script's "ipcm spawn &", it would
end at once: use --no-stdin there.

Examples:
  $ ipcm spawn                                 # in one terminal; Ctrl-C ends it
  $ export IPCM_INFO=$(ipcm spawn --keep)      # a bus that stays until "ipcm destroy"
  $ ipcm spawn --no-stdin > info &             # in a script; kill %1 ends it
  $ ipcm spawn --route /run/user/1000/bus --serializer JSON --signal TERM`;

/** Adds the command. */
export function addSpawn(program: Command): void {
  program
    .command('spawn')
    .summary('make a bus and hold it until stdin ends or Ctrl-C')
    .description('Makes a bus, prints its info, and holds it.')
    .option('--guard', 'remove the store when this process ends (the default)')
    .option('--keep', 'leave the store and exit at once; "ipcm destroy" removes it')
    .option('--signal <name>', 'signal for the processes of all clients at the end, such as TERM')
    .option('--no-stdin', 'do not end when stdin ends')
    .option('-W, --timeout <seconds>', 'how long to wait for clients at the end (60)', seconds)
    .option('-v, --verbose', 'tell on stderr how the end goes')
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => {
      await spawn(command, command.optsWithGlobals<SpawnCommandOptions>());
    });
}

async function spawn(command: Command, options: SpawnCommandOptions): Promise<void> {
  if (options.keep === true && options.guard === true) command.error('error: --guard and --keep exclude each other');
  // Before the store is there, so that a signal never finds it unguarded.
  const interruption = options.keep === true ? undefined : onInterrupt('asking clients to end');
  const bus = await ipcmSpawn({
    // What is kept shall outlive its clients: names that sleep, and the messages for them.
    protocol: options.protocol ?? (options.keep === true ? 'MessageFiles' : undefined),
    serializer: options.serializer,
    route: options.route,
    guard: options.keep !== true,
    signal: options.signal,
    ...access(),
    debug: options.verbose === true ? say : false,
  });
  const printed = await print(`${bus.info}\n`);
  if (interruption === undefined) {
    await bus[Symbol.asyncDispose]();
    return;
  }
  if (printed) await endOfWork(interruption.signal, options.stdin && !process.stdin.isTTY);
  await endBus(bus, options);
}

/** Shuts a bus down, and tells of what had died. */
export async function endBus(
  bus: Spawn,
  options: { readonly timeout?: number | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const { reaped, clientErrors } = await bus.shutdown({ timeout: options.timeout });
  for (const { name, pid, lost } of reaped)
    say(`"${name}" (pid ${pid ?? 'unknown'}) had died, ${lost} messages unread`);
  for (const error of clientErrors) reportError(error, options.json === true);
}

/** Resolves at a signal, or when stdin ends where that counts, or when nobody can read the info. */
function endOfWork(signal: AbortSignal, readsStdin: boolean): Promise<void> {
  return new Promise((resolve) => {
    // Waiting for a signal alone does not keep a process alive.
    const alive = setInterval(() => undefined, 2 ** 30);
    const done = (): void => {
      clearInterval(alive);
      process.stdin.destroy();
      resolve();
    };
    if (signal.aborted) return done();
    signal.addEventListener('abort', done, { once: true });
    stdoutGone.addEventListener('abort', done, { once: true });
    if (readsStdin) process.stdin.on('end', done).on('error', done).resume();
  });
}
