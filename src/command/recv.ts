/** `ipcm recv`: prints the messages of a name. */
import type { Command } from 'commander';
import { IpcError, type Client } from '../index.ts';
import { enterToRead, infoOf, listenIn } from './bus.ts';
import { CommandError, exitCodes } from './exit.ts';
import { seconds, wholeNumber, type GlobalOptions } from './options.ts';
import { printJson, say, stdoutGone } from './output.ts';
import { onInterrupt } from './signals.ts';

interface RecvOptions extends GlobalOptions {
  readonly count?: number;
  readonly wait?: number;
  readonly follow?: boolean;
  readonly ack?: boolean;
  readonly suspend?: boolean;
}

/** Why the reading ended. */
type Ending = 'done' | 'timeout' | 'terminated' | 'interrupted' | 'reader gone';

/** Messages per read: few enough that a reader who goes away leaves little to put back. */
const slice = 256;

const examples = `
Prints messages as lines of JSON. Without -n, -W or --follow: what is there now, which is what was sent since the name was
suspended. A terminate message ends it and is not printed. When -n leaves messages unread, the name is suspended and keeps
them for the next call.

Examples:
  $ ipcm recv mailbox --suspend                # makes the name; from now on messages wait for it
  $ ipcm recv mailbox --suspend                # what has come since, and keeps the name
  $ ipcm recv worker -n 1 -W 5                 # one message, or exit code 3 after five seconds
  $ ipcm recv log --follow --ack >> log.ndjson # loses nothing, even when killed: what was not written comes again`;

/** Adds the command. */
export function addRecv(program: Command): void {
  program
    .command('recv <name> [info]')
    .summary('print the messages sent to a name')
    .description('Connects under NAME, or comes back if it was suspended, and prints its messages.')
    .option('-n, --count <count>', 'wait for COUNT messages, then end', wholeNumber(1))
    .option('-W, --wait <seconds>', 'wait for a message; exit code 3 when none has come for so long', seconds)
    .option('-f, --follow', 'go on until Ctrl-C, SIGTERM or a terminate message')
    .option('--ack', 'acknowledge each message after its line is written; until then the store keeps it')
    .option('--suspend', 'at the end suspend: the name stays, and messages wait for it')
    .addHelpText('after', examples)
    .action(async (name: string, info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RecvOptions>();
      if (options.count !== undefined && options.follow === true)
        command.error('error: --count and --follow exclude each other');
      process.exitCode = await recv(name, await infoOf(options, info), options);
    });
}

async function recv(name: string, info: string, options: RecvOptions): Promise<number> {
  const interruption = onInterrupt('printing what is there');
  const client = await enterToRead(name, info, { ack: options.ack });
  listenIn(client, options.json === true);
  let reading: { readonly ending: Ending; readonly got: number };
  try {
    reading = await read(client, options, AbortSignal.any([interruption.signal, stdoutGone]));
  } catch (error) {
    // Leaving is a courtesy now: the store may be gone, and the error that counts is this one.
    await client.disconnect(() => undefined).catch(() => undefined);
    throw error;
  }
  await leave(client, reading.ending, options);
  return conclude(name, reading, options);
}

async function read(client: Client, options: RecvOptions, stop: AbortSignal): Promise<{ ending: Ending; got: number }> {
  const { count = Number.POSITIVE_INFINITY, follow = false, wait } = options;
  let got = 0;
  while (got < count) {
    const waits = follow || options.count !== undefined || (wait !== undefined && got === 0);
    const limit = Math.min(slice, count - got);
    let messages;
    try {
      messages = await client.getMessages(waits ? { limit, timeout: wait, signal: stop } : { limit });
    } catch (error) {
      if (!stop.aborted) throw error;
      return { ending: stdoutGone.aborted ? 'reader gone' : 'interrupted', got };
    }
    if (messages.length === 0) return { ending: waits ? 'timeout' : 'done', got };
    const shown = messages.filter(({ isTerminate }) => !isTerminate);
    if (!(await printJson(...shown))) {
      await client.requeueMessage(...messages);
      return { ending: 'reader gone', got };
    }
    if (options.ack === true) await client.acknowledge(...messages);
    got += shown.length;
    if (shown.length < messages.length) return { ending: 'terminated', got };
    if (stop.aborted) return { ending: 'interrupted', got };
  }
  return { ending: 'done', got };
}

/** Suspends where that is wished or where messages would be lost otherwise; else disconnects and prints what just came. */
async function leave(client: Client, ending: Ending, options: RecvOptions): Promise<void> {
  const keeps = options.count !== undefined || ending === 'reader gone';
  if (options.suspend === true) return client.suspend();
  if (keeps && client.protocol.capabilities.suspend && (await client.haveReadyMessages())) {
    await client.suspend();
    if (ending !== 'reader gone')
      say(`more messages wait for "${client.id}": it is suspended now, and the next recv gets them`);
    return;
  }
  if (keeps) return client.disconnect();
  await client.disconnect(async (messages) => {
    await printJson(...messages);
  });
}

function conclude(name: string, { ending, got }: { ending: Ending; got: number }, options: RecvOptions): number {
  const progress = options.count === undefined ? '' : `, ${got} of ${options.count} are here`;
  if (ending === 'timeout') {
    throw new IpcError(
      'IPCM_TIMEOUT',
      `recv: no message for "${name}" in ${(options.wait ?? 0) / 1000} seconds${progress}`,
    );
  }
  if (ending === 'terminated' && options.count !== undefined && got < options.count) {
    throw new CommandError('IPCM_NOT_CONNECTED', `recv: a terminate message came for "${name}"${progress}`);
  }
  return ending === 'interrupted' && options.follow !== true ? exitCodes.interrupted : exitCodes.ok;
}
