/** `ipcm connect`: a bridge between a bus and the stdin and stdout of a program in any language. */
import type { Command } from 'commander';
import { IpcError, type Client } from '../index.ts';
import { enterToRead, infoOf, listenIn } from './bus.ts';
import { CommandError, exitCodes, reportError } from './exit.ts';
import { linesOf, type Line } from './lines.ts';
import type { GlobalOptions } from './options.ts';
import { printJson, stdoutGone } from './output.ts';
import { onInterrupt } from './signals.ts';

interface ConnectCommandOptions extends GlobalOptions {
  readonly listen?: boolean;
  readonly suspend?: boolean;
}

/** Bytes of a line at most: a message of 64 MiB, and what JSON adds around and within. */
const longestLine = 128 * 1024 * 1024;

const examples = `
Each line of stdin is sent: {"to":"worker","content":…}, or {"broadcast":true,"content":…} to everybody.
Each message received is a line of stdout: {"id":…,"from":…,"to":…,"stamp":…,"content":…}.
A line that cannot be sent is reported on stderr and makes the exit code 1; the others are sent all the same.
It ends when stdin has ended and everything is sent, or at a terminate message, which is printed as well; with --listen
only at a terminate message, Ctrl-C or SIGTERM. A suspended name is taken up again, with the messages that waited.

Examples:
  $ ipcm connect logger --listen >> log.ndjson
  $ echo '{"to":"worker","content":{"job":1}}' | ipcm connect boss
  $ ./program.py <pipe | ipcm connect bridge "$IPCM_INFO" >pipe`;

/** Adds the command. */
export function addConnect(program: Command): void {
  program
    .command('connect <name> [info]')
    .summary('bridge stdin and stdout to a bus, for any language')
    .description('Connects under NAME; sends what comes on stdin, prints what is received.')
    .option('--listen', 'go on after the end of stdin')
    .option('--suspend', 'at the end suspend: the name stays, and messages wait for it')
    .addHelpText('after', examples)
    .action(async (name: string, info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ConnectCommandOptions>();
      process.exitCode = await connect(name, await infoOf(options, info), options);
    });
}

async function connect(name: string, info: string, options: ConnectCommandOptions): Promise<number> {
  const json = options.json === true;
  const interruption = onInterrupt('sending what is left');
  const client = await enterToRead(name, info, {});
  listenIn(client, json);
  const inputEnded = new AbortController();
  const stop = AbortSignal.any([interruption.signal, stdoutGone, inputEnded.signal]);
  let failed = false;
  const fail = (error: unknown): void => {
    failed = true;
    reportError(error, json);
  };
  const sending = sendLines(client, stop, fail).then(
    () => {
      if (options.listen !== true) inputEnded.abort();
    },
    (error: unknown) => {
      fail(error);
      inputEnded.abort();
    },
  );
  try {
    await receive(client, stop);
  } catch (error) {
    if (!stop.aborted) fail(error);
  }
  process.stdin.destroy();
  try {
    if (options.suspend === true) await client.suspend();
    else await client.disconnect((messages) => printJson(...messages).then(() => undefined));
  } catch (error) {
    fail(error);
  }
  // What still waited to be sent when the client left has been rejected by now, and is reported line by line.
  await sending;
  if (failed) return exitCodes.failure;
  return interruption.signal.aborted && options.listen !== true ? exitCodes.interrupted : exitCodes.ok;
}

/** Prints what comes, until a terminate message or until `stop` aborts; then it returns, or throws the signal's reason. */
async function receive(client: Client, stop: AbortSignal): Promise<void> {
  for (;;) {
    const messages = await client.getMessages({ limit: 256, signal: stop });
    if (messages.length === 0) return;
    const taken = await printJson(...messages);
    if (!taken) return client.requeueMessage(...messages);
    // What comes after the end of input is printed by the disconnect, which lets no more in.
    if (stop.aborted || messages.some(({ isTerminate }) => isTerminate)) return;
  }
}

/** Sends the lines of stdin; a chunk of them at a time, so that a peer which does not read holds up our reading. */
async function sendLines(client: Client, stop: AbortSignal, fail: (error: unknown) => void): Promise<void> {
  try {
    for await (const lines of linesOf(process.stdin, longestLine)) {
      const sends: Promise<void>[] = [];
      for (const line of lines) {
        if ('text' in line && line.text.trim() === '') continue;
        const sent = sendLine(client, line).catch((error: unknown) => fail(located(error, line)));
        sends.push(sent);
        // A broadcast first looks who is there; later lines must not overtake it.
        if (isBroadcast(line)) await sent;
      }
      await Promise.all(sends);
      if (client.state !== 'connected') return;
    }
  } catch (error) {
    // Closing stdin under the loop, at the end, is no failure of it.
    if (!stop.aborted && client.state === 'connected') throw error;
  }
}

interface Parsed {
  readonly to?: unknown;
  readonly broadcast?: unknown;
  readonly content?: unknown;
  readonly id?: unknown;
}

function parse(line: Line): Parsed {
  if ('tooLong' in line) {
    throw new IpcError('IPCM_MESSAGE_TOO_LARGE', `more than ${longestLine} bytes; send it in parts`);
  }
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch (error) {
    throw malformed(`not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('no JSON object');
  return value;
}

function isBroadcast(line: Line): boolean {
  return 'text' in line && line.text.includes('"broadcast"');
}

async function sendLine(client: Client, line: Line): Promise<void> {
  const { to, broadcast, content, id } = parse(line);
  if (!(broadcast === undefined || broadcast === true || broadcast === false))
    throw malformed('"broadcast" is true or false');
  if (content === undefined) throw malformed('without "content"');
  if (to !== undefined && broadcast === true) throw malformed('with "to" and "broadcast": give one of them');
  if (broadcast === true) return broadcastLine(client, content);
  if (typeof to !== 'string') throw malformed('without the name of a peer in "to"');
  if (id !== undefined && (typeof id !== 'string' || id === '')) throw malformed('"id" is a text');
  return client.sendMessage(to, content, { id });
}

async function broadcastLine(client: Client, content: unknown): Promise<void> {
  for (const [, outcome] of await client.broadcast(content)) if (!outcome.sent) throw outcome.error;
}

function malformed(what: string): IpcError {
  return new IpcError(
    'IPCM_MALFORMED_MESSAGE',
    `${what}; a line is {"to":PEER,"content":…} or {"broadcast":true,"content":…}`,
  );
}

/** The same error, saying which line it is about. */
function located(error: unknown, { number }: Line): unknown {
  if (!(error instanceof IpcError)) return error;
  return new CommandError(error.code, `line ${number}: ${error.message}`, exitCodes.failure, {
    line: number,
    peer: error.peer,
  });
}
