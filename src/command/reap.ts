/** `ipcm reap`: finds and removes what killed owners left behind. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { protocolNames, resolveProtocol, type Protocol, type StaleStore } from '../index.ts';
import { exitCodes, reportError } from './exit.ts';
import type { GlobalOptions } from './options.ts';
import { printJson, printTable, say } from './output.ts';

interface ReapOptions extends GlobalOptions {
  readonly dryRun?: boolean;
}

const examples = `
A guarded store goes with its owner; only kill -9 or a crash leaves one behind. Such stores are recognised by their owner's
process id, start time and boot, so that none of a living process is touched. Stores made with --keep are not stale.

Examples:
  $ ipcm reap --dry-run
  $ ipcm reap --json
  $ ipcm reap --route /dev/shm/ipcm-a1b2c3     # this one only`;

/** Adds the command. */
export function addReap(program: Command): void {
  program
    .command('reap')
    .summary('remove temporary stores whose owner was killed')
    .description('Lists and removes temporary stores whose owner is dead.')
    .option('-n, --dry-run', 'only list them')
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => {
      process.exitCode = await reap(command.optsWithGlobals<ReapOptions>());
    });
}

async function reap(options: ReapOptions): Promise<number> {
  const json = options.json === true;
  const rows: (string | number)[][] = [];
  let failed = false;
  for (const { protocol, stale } of await findAll(options)) {
    let outcome = 'stale';
    try {
      if (options.dryRun !== true) outcome = (await stale.remove()) ? 'removed' : 'in use again';
    } catch (error) {
      outcome = 'failed';
      failed = true;
      reportError(error, json);
    }
    rows.push([protocol.name, stale.route, stale.owner.pid, outcome]);
    if (json)
      await printJson({
        protocol: protocol.name,
        route: stale.route,
        pid: stale.owner.pid,
        removed: outcome === 'removed',
      });
  }
  if (!json && rows.length === 0) say('no stale stores');
  else if (!json) await printTable(['PROTOCOL', 'STORE', { title: 'OWNER', align: 'right' }, ''], rows);
  return failed ? exitCodes.failure : exitCodes.ok;
}

async function findAll({ protocol: only, route }: ReapOptions): Promise<{ protocol: Protocol; stale: StaleStore }[]> {
  const all: { protocol: Protocol; stale: StaleStore }[] = [];
  for (const name of only === undefined ? protocolNames : [only]) {
    const protocol = await resolveProtocol(name);
    if (protocol.findStale === undefined || (await protocol.unviable()) !== undefined) continue;
    for (const stale of await protocol.findStale()) {
      if (route === undefined || [route, resolve(route)].includes(stale.route)) all.push({ protocol, stale });
    }
  }
  return all;
}
