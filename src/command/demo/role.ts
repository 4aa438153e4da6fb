/** The hidden command that the demo's processes run: one role each, on the bus in IPCM_INFO. */
import { Socket } from 'node:net';
import type { Command } from 'commander';
import { ipcmServe, type ServiceDefinition } from '../../service/index.ts';
import { access } from '../access.ts';
import { infoOf } from '../bus.ts';
import { usageError } from '../exit.ts';
import type { GlobalOptions } from '../options.ts';
import { leashDescriptor } from './family.ts';
import { collectorService } from './collector.ts';
import { names } from './contents.ts';
import { counterService } from './counter.ts';
import { readerService } from './reader.ts';

interface RoleOptions extends GlobalOptions {
  readonly counters: string;
  readonly file: string;
}

/** Adds the command. */
export function addDemoRole(program: Command): void {
  program
    .command('demo-role <name>', { hidden: true })
    .requiredOption('--counters <count>')
    .requiredOption('--file <file>')
    .action(async (name: string, _options: unknown, command: Command) => {
      await runRole(name, command.optsWithGlobals<RoleOptions>());
    });
}

async function runRole(name: string, options: RoleOptions): Promise<void> {
  followParent();
  const definition = serviceOf(name, { file: options.file, counters: Number(options.counters) });
  const info = await infoOf(options, undefined);
  const { ended } = await ipcmServe(name, info, definition as ServiceDefinition, { connect: access() });
  await ended;
}

function serviceOf(name: string, options: { readonly file: string; readonly counters: number }): object {
  if (name === names.reader) return readerService(options);
  if (name === names.collector) return collectorService();
  if (name.startsWith('counter-')) return counterService();
  throw usageError(`demo has no role ${JSON.stringify(name)}`);
}

/** Ends with the parent, however that ends, and leaves it to the parent what Ctrl-C in the terminal means. */
function followParent(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const leash = new Socket({ fd: leashDescriptor });
  leash.on('close', () => process.exit(1)).on('error', () => undefined);
  leash.resume().unref();
}
