/** `ipcm demo`: counts the words of a file in several processes on one bus. */
import { systemCode } from '../../errors.ts';
import { access, constants, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ipcmDefaultProtocol, ipcmSpawn, resolveProtocol, type Client, type Spawn } from '../../index.ts';
import { access as credentials } from '../access.ts';
import { CommandError, exitCodes, usageError } from '../exit.ts';
import { wholeNumber, type GlobalOptions } from '../options.ts';
import { print, printJson, styled } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import { packageRoot } from '../version.ts';
import { contents, counterNames, names, type Result } from './contents.ts';
import { Family } from './family.ts';
import { ProgressLine } from './progress-line.ts';

interface DemoOptions extends GlobalOptions {
  readonly counters: number;
  readonly top: number;
}

/** What was read, and what was counted. */
interface Totals {
  readonly bytes: number;
  readonly lines: number;
  readonly result: Result;
}

const defaultCounters = Math.min(8, Math.max(2, availableParallelism()));

const examples = `
A reader sends the lines of FILE ("-" is stdin; default is this package's README.md) to the counters, which share the work;
a collector merges their counts and prints the most frequent words. At the end every line and every message must be
accounted for (exit code 5 if not). Ctrl-C stops reading and counts what has been read.

Examples:
  $ ipcm demo
  $ ipcm demo --counters 8 --top 20 /usr/share/dict/words
  $ zcat access.log.gz | ipcm demo - --json | jq -r .word`;

/** Adds the command. */
export function addDemo(program: Command): void {
  program
    .command('demo [file]')
    .summary('count the words of a file in several processes')
    .description('Counts the words of FILE in separate processes on one bus.')
    .option('--counters <count>', 'number of counting processes', wholeNumber(1, 64), defaultCounters)
    .option('--top <count>', 'number of words to print', wholeNumber(0), 10)
    .addHelpText('after', examples)
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DemoOptions>();
      process.exitCode = await demo(file ?? fileURLToPath(new URL('README.md', packageRoot)), options);
    });
}

async function demo(file: string, options: DemoOptions): Promise<number> {
  await checkFile(file);
  await checkProtocol(options.protocol);
  const started = performance.now();
  const { signal: interrupted } = onInterrupt('counting what has been read');
  const { protocol, serializer, route } = options;
  const bus = await ipcmSpawn({ protocol, serializer, route, ...credentials() });
  const family = new Family();
  let client: Client | undefined;
  let totals: Totals;
  try {
    client = await bus.connect(names.parent);
    startAll(family, bus, file, options);
    totals = await Promise.race([follow(client, options, interrupted), family.failed]);
    await Promise.race([family.ended(), family.failed]);
    await client.disconnect();
  } catch (error) {
    await family.kill();
    client?.closeSync();
    await bus.unspawn();
    throw error;
  }
  const messages = await countMessages(bus);
  await bus.shutdown();
  const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
  await summarize(bus, totals, { messages, seconds }, options);
  return interrupted.aborted ? exitCodes.interrupted : exitCodes.ok;
}

/** Complains about a file before any process is started for it. */
async function checkFile(file: string): Promise<void> {
  if (file === '-') return;
  try {
    // Not opened here: a named pipe would take that for its reader.
    if ((await stat(file)).isDirectory())
      throw new CommandError('EISDIR', `${file} is a directory; demo counts one file`);
    await access(file, constants.R_OK);
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof CommandError || code === undefined) throw error;
    const why = code === 'ENOENT' ? `there is no file ${file}` : `${file} cannot be read`;
    throw new CommandError(code, `${why}; demo counts one file, or with - its input`);
  }
}

async function checkProtocol(name: string | undefined): Promise<void> {
  const chosen = name ?? ipcmDefaultProtocol();
  if (chosen === undefined) return;
  const protocol = await resolveProtocol(chosen);
  if (!protocol.capabilities.crossProcess) {
    throw usageError(
      `demo runs several processes, and ${protocol.name} reaches one only; take another protocol, such as MessageFiles`,
    );
  }
}

function startAll(family: Family, bus: Spawn, file: string, options: DemoOptions): void {
  const env = { ...process.env, IPCM_INFO: bus.info };
  const args = ['--counters', String(options.counters), '--top', String(options.top), '--file', file];
  if (process.stderr.isTTY) args.push('--progress');
  if (options.json === true) args.push('--json');
  for (const name of [names.collector, ...counterNames(options.counters), names.reader]) {
    family.start(name, ['demo-role', name, ...args], env, name === names.reader && file === '-' ? 'inherit' : 'ignore');
  }
}

/** Starts the reader once all are there, and listens to what it and the collector report. */
async function follow(client: Client, options: DemoOptions, interrupted: AbortSignal): Promise<Totals> {
  await client.waitForPeers([names.collector, ...counterNames(options.counters), names.reader]);
  await client.sendMessage(names.reader, { kind: 'start' });
  const stop = (): void => void client.tryMessage(names.reader, { kind: 'stop' });
  if (interrupted.aborted) stop();
  interrupted.addEventListener('abort', stop, { once: true });
  const line = new ProgressLine();
  let read = { bytes: 0, lines: 0 };
  for await (const { content } of contents(client)) {
    if (content.kind === 'progress') line.show(content);
    if (content.kind === 'read') {
      interrupted.removeEventListener('abort', stop);
      line.clear();
      read = content;
      await client.sendMessage(names.collector, { kind: 'print' });
    }
    if (content.kind === 'result') return { bytes: read.bytes, lines: read.lines, result: content };
  }
  throw new CommandError('IPCM_INTERNAL', 'demo: the bus ended before the counts were there');
}

async function countMessages(bus: Spawn): Promise<number> {
  // Whoever looks at the counts of others is a client for a moment.
  const observer = await bus.connect('observer');
  let sum = 0;
  for (const { sent } of (await observer.allStats()).values()) for (const count of sent.values()) sum += count;
  await observer.disconnect();
  return sum;
}

async function summarize(
  bus: Spawn,
  { bytes, lines, result }: Totals,
  { messages, seconds }: { messages: number; seconds: number },
  options: DemoOptions,
): Promise<void> {
  const { words, different } = result;
  const [protocol, serializer] = [bus.protocol.name, bus.serializer.name];
  const facts = { bytes, linesRead: lines, linesCounted: result.lines, words, different, counters: options.counters };
  if (options.json === true) {
    await printJson({ summary: true, ...facts, messages, protocol, serializer, seconds });
  } else {
    const number = (value: number): string => value.toLocaleString('en-US');
    const isRight = result.lines === lines;
    await print(
      `${styled(isRight ? 'green' : 'red', `${number(lines)} lines read, ${number(result.lines)} counted`)}; ` +
        `${number(words)} words, ${number(different)} different; ${options.counters} counters, ${number(messages)} messages ` +
        `sent and read, over ${protocol} with ${serializer}, in ${seconds.toFixed(2)} s\n`,
    );
  }
  if (result.lines !== lines) {
    throw new CommandError(
      'IPCM_SANITY_MISMATCH',
      `demo: ${lines} lines read, ${result.lines} counted`,
      exitCodes.sanityMismatch,
    );
  }
}
