/** The hidden command that the demo's processes run: one role each, on the bus in IPCM_INFO. */
import { Socket } from 'node:net';
import type { Command } from 'commander';
import { ipcmConnect, type Client } from '../../index.ts';
import { access } from '../access.ts';
import { infoOf } from '../bus.ts';
import { usageError } from '../exit.ts';
import type { GlobalOptions } from '../options.ts';
import { leashDescriptor } from './family.ts';
import { runCollector } from './collector.ts';
import { names } from './contents.ts';
import { runCounter } from './counter.ts';
import { runReader } from './reader.ts';

interface RoleOptions extends GlobalOptions {
  readonly counters: string;
  readonly top: string;
  readonly file: string;
  readonly progress?: boolean;
}

/** Adds the command. */
export function addDemoRole(program: Command): void {
  program
    .command('demo-role <name>', { hidden: true })
    .requiredOption('--counters <count>')
    .requiredOption('--top <count>')
    .requiredOption('--file <file>')
    .option('--progress')
    .action(async (name: string, _options: unknown, command: Command) => {
      await runRole(name, command.optsWithGlobals<RoleOptions>());
    });
}

async function runRole(name: string, options: RoleOptions): Promise<void> {
  followParent();
  const client = await ipcmConnect(name, await infoOf(options, undefined), access());
  await work(client, { ...options, counters: Number(options.counters), top: Number(options.top) });
  await client.disconnect();
}

function work(
  client: Client,
  options: { counters: number; top: number; file: string; progress?: boolean; json?: boolean },
): Promise<void> {
  if (client.id === names.reader) return runReader(client, { ...options, progress: options.progress === true });
  if (client.id === names.collector) return runCollector(client, { ...options, json: options.json === true });
  if (client.id.startsWith('counter-')) return runCounter(client);
  throw usageError(`demo has no role ${JSON.stringify(client.id)}`);
}

/** Ends with the parent, however that ends, and leaves it to the parent what Ctrl-C in the terminal means. */
function followParent(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const leash = new Socket({ fd: leashDescriptor });
  leash.on('close', () => process.exit(1)).on('error', () => undefined);
  leash.resume().unref();
}
