/** `ipcm demo`: counts the words of a file in several processes on one bus. */
import { access, constants, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ipcmDefaultProtocol, ipcmSpawn, resolveProtocol, type Spawn } from '../../index.ts';
import { ipcmServiceHandle, type ServiceHandle } from '../../service/index.ts';
import { access as credentials } from '../access.ts';
import { codeOf, CommandError, exitCodes, usageError } from '../exit.ts';
import { wholeNumber, type GlobalOptions } from '../options.ts';
import { print, printJson, styled } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import { packageRoot } from '../version.ts';
import {
  counterNames,
  names,
  type CollectorRequest,
  type ReaderRequest,
  type ReadResult,
  type Totals,
} from './contents.ts';
import { Family } from './family.ts';
import { ProgressLine } from './progress-line.ts';

interface DemoOptions extends GlobalOptions {
  readonly counters: number;
  readonly top: number;
}

/** The parent's way to all of them. */
type Reader = ServiceHandle<ReaderRequest, ReadResult>;

/** Milliseconds between looks at how far the reader is. */
const lookEvery = 100;
/** Milliseconds for the news that a process has ended, once a request has failed because of it. */
const newsTime = 1000;

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
  let reader: Reader | undefined;
  let totals: ReadResult & Totals;
  try {
    reader = await ipcmServiceHandle(names.reader, bus, { client: names.parent, ...credentials() });
    startAll(family, bus, file, options);
    totals = await Promise.race([work(reader, options, interrupted, family), family.failed]);
    await Promise.race([family.ended(), family.failed]);
    await reader.stop();
  } catch (error) {
    await family.kill();
    reader?.client.closeSync();
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
    if (error instanceof CommandError) throw error;
    const code = codeOf(error);
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
  const { user: IPCM_USER, pass: IPCM_PASSWORD } = credentials();
  // All of these are this command again, and start nothing.
  const env = { ...process.env, IPCM_INFO: bus.info, IPCM_USER, IPCM_PASSWORD };
  const args = ['--counters', String(options.counters), '--file', file];
  for (const name of everybody(options)) {
    family.start(name, ['demo-role', name, ...args], env, name === names.reader && file === '-' ? 'inherit' : 'ignore');
  }
}

function everybody({ counters }: DemoOptions): string[] {
  return [names.collector, ...counterNames(counters), names.reader];
}

/** Has all be read, counted and printed, and ends the services. */
async function work(
  reader: Reader,
  options: DemoOptions,
  interrupted: AbortSignal,
  family: Family,
): Promise<ReadResult & Totals> {
  try {
    await reader.client.waitForPeers(everybody(options));
    const read = await readAll(reader, interrupted);
    const collector = reader.peer<CollectorRequest, Totals>(names.collector);
    const counts = await collector.request({ kind: 'print', top: options.top, json: options.json === true });
    for (const name of everybody(options)) await reader.peer(name).terminate();
    return { ...read, ...counts };
  } catch (error) {
    // A request that fails because somebody has died: who it was, and how, is better news.
    await Promise.race([family.failed, new Promise((resolve) => setTimeout(resolve, newsTime))]);
    throw error;
  }
}

/** Has the reader read, and shows on a terminal how far it is. */
async function readAll(reader: Reader, interrupted: AbortSignal): Promise<ReadResult> {
  const line = new ProgressLine();
  let reading = true;
  const look = async (): Promise<void> => {
    const progress = await reader.request({ kind: 'progress' }).catch(() => undefined);
    if (reading && progress !== undefined) line.show(progress);
  };
  const timer = process.stderr.isTTY ? setInterval(() => void look(), lookEvery) : undefined;
  const stop = (): void => void reader.request({ kind: 'stop' }).catch(() => undefined);
  if (interrupted.aborted) stop();
  interrupted.addEventListener('abort', stop, { once: true });
  try {
    return await reader.request({ kind: 'read' });
  } finally {
    interrupted.removeEventListener('abort', stop);
    clearInterval(timer);
    reading = false;
    line.clear();
  }
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
  { bytes, lines, counted, words, different }: ReadResult & Totals,
  { messages, seconds }: { messages: number; seconds: number },
  options: DemoOptions,
): Promise<void> {
  const [protocol, serializer] = [bus.protocol.name, bus.serializer.name];
  const facts = { bytes, linesRead: lines, linesCounted: counted, words, different, counters: options.counters };
  if (options.json === true) {
    await printJson({ summary: true, ...facts, messages, protocol, serializer, seconds });
  } else {
    const number = (value: number): string => value.toLocaleString('en-US');
    const isRight = counted === lines;
    await print(
      `${styled(isRight ? 'green' : 'red', `${number(lines)} lines read, ${number(counted)} counted`)}; ` +
        `${number(words)} words, ${number(different)} different; ${options.counters} counters, ${number(messages)} messages ` +
        `sent and read, over ${protocol} with ${serializer}, in ${seconds.toFixed(2)} s\n`,
    );
  }
  if (counted !== lines) {
    throw new CommandError(
      'IPCM_SANITY_MISMATCH',
      `demo: ${lines} lines read, ${counted} counted`,
      exitCodes.sanityMismatch,
    );
  }
}
