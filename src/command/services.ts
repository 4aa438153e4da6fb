/** `ipcm services`: which clients of a bus are services, and how they do. */
import type { Command } from 'commander';
import type { PeerEntry } from '../index.ts';
import { ipcmServiceHandle, type ServiceInfo } from '../service/index.ts';
import { access } from './access.ts';
import { infoOf, withStore } from './bus.ts';
import { codeOf } from './exit.ts';
import { seconds, type GlobalOptions } from './options.ts';
import { printJson, printTable, say, type Cell } from './output.ts';
import { byName, stateCell } from './peers.ts';

interface ServicesOptions extends GlobalOptions {
  readonly timeout: number;
}

/** A service, and what it said; or the code of why it did not. */
interface Row {
  readonly entry: PeerEntry;
  readonly info: ServiceInfo | string;
}

const examples = `
Each service is asked about itself, which it answers without its handler. One that does not answer in time, since it is busy
or stopped, is listed without figures.

Examples:
  $ ipcm services
  $ ipcm services --json "$INFO" | jq 'select(.errors > 0)'`;

/** Adds the command. */
export function addServices(program: Command): void {
  program
    .command('services [info]')
    .summary('list the services of a bus')
    .description('Lists the services of a bus: process, uptime, requests, errors.')
    .option('-W, --timeout <seconds>', 'wait for their answers no longer than that (2)', seconds, 2000)
    .addHelpText('after', examples)
    .action(async (info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServicesOptions>();
      const bus = await infoOf(options, info);
      const peers = await withStore(bus, async (store) => store.peers());
      const services = byName(peers).filter(({ service, state }) => service === true && state !== 'dead');
      const rows = await askAll(services, bus, options.timeout);
      if (options.json === true) await printJson(...rows.map(jsonRow));
      else await show(rows);
    });
}

async function askAll(services: readonly PeerEntry[], bus: string, timeout: number): Promise<Row[]> {
  const [first] = services;
  if (first === undefined) return [];
  const handle = await ipcmServiceHandle(first.name, bus, { client: `ipcm-${process.pid}`, ...access() });
  try {
    const ask = async (entry: PeerEntry): Promise<Row> => {
      try {
        return { entry, info: await handle.peer(entry.name).info({ timeout }) };
      } catch (error) {
        return { entry, info: codeOf(error) };
      }
    };
    return await Promise.all(services.map(ask));
  } finally {
    await handle.stop();
  }
}

function jsonRow({ entry, info }: Row): unknown {
  const { name, state, identity } = entry;
  return typeof info === 'string' ? { name, state, pid: identity?.pid, code: info } : info;
}

async function show(rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return say('there is no service on the bus');
  const right = (title: string) => ({ title, align: 'right' }) as const;
  await printTable(
    ['NAME', 'STATE', ...['PID', 'UPTIME', 'REQUESTS', 'ERRORS', 'OPEN', 'WORKERS'].map(right)],
    rows.map(({ entry, info }): Cell[] => {
      const known = [entry.name, stateOf(info), entry.identity?.pid ?? ''];
      if (typeof info === 'string') return [...known, '-', '-', '-', '-', '-'];
      const { uptime, requests, errors, open, workers } = info;
      return [...known, duration(uptime), requests, errors, open, workers.length];
    }),
  );
}

function stateOf(info: ServiceInfo | string): Cell {
  if (typeof info !== 'string') return info.state === 'running' ? { text: 'running', style: 'green' } : info.state;
  return info === 'IPCM_TIMEOUT' ? 'no answer' : stateCell('dead');
}

/** Milliseconds in the two largest units that say something. */
function duration(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1000);
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'm'],
    [total % 60, 's'],
  ] as const;
  const from = parts.findIndex(([value]) => value > 0);
  if (from === -1) return '0s';
  return parts
    .slice(from, from + 2)
    .map(([value, unit]) => `${value}${unit}`)
    .join(' ');
}
