/** `ipcm stats`: queues and counts of each client. */
import type { Command } from 'commander';
import type { PeerEntry, Stats, Store } from '../index.ts';
import { infoOf, withStore } from './bus.ts';
import type { GlobalOptions } from './options.ts';
import { printJson, printTable, say } from './output.ts';
import { byName, stateCell } from './peers.ts';

interface Row {
  readonly name: string;
  readonly state: PeerEntry['state'] | 'gone';
  readonly waiting: number;
  /** Undefined while the client has not written its counts. */
  readonly stats: Stats | undefined;
}

const examples = `
WAITING is the number of messages in the client's queue. A client writes its counts when it leaves or is suspended, so
those of a connected one are of an earlier life or not there yet. With --json the counts are given per peer.

Examples:
  $ ipcm stats
  $ watch ipcm stats
  $ ipcm stats --json "$INFO" | jq 'select(.waiting > 1000)'`;

/** Adds the command. */
export function addStats(program: Command): void {
  program
    .command('stats [info]')
    .summary('show queues and counts of each client')
    .description('Shows for each client what waits for it, and what it has sent and read.')
    .addHelpText('after', examples)
    .action(async (info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const rows = await withStore(await infoOf(options, info), collect);
      if (options.json === true) await printJson(...rows.map(jsonRow));
      else await show(rows);
    });
}

async function collect(store: Store): Promise<Row[]> {
  const stats = await store.stats();
  const rows: Row[] = [];
  const here = new Set<string>();
  for (const { name, state } of byName(await store.peers())) {
    here.add(name);
    rows.push({ name, state, waiting: await store.waiting(name), stats: stats.get(name) });
  }
  for (const [name, counts] of [...stats].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!here.has(name)) rows.push({ name, state: 'gone', waiting: 0, stats: counts });
  }
  return rows;
}

function jsonRow({ name, state, waiting, stats }: Row): unknown {
  const counts = (map: ReadonlyMap<string, number> | undefined): unknown => map && Object.fromEntries(map);
  return { name, state, waiting, sent: counts(stats?.sent), read: counts(stats?.read) };
}

async function show(rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return say('nobody is on the bus, and nobody was');
  const right = (title: string) => ({ title, align: 'right' }) as const;
  await printTable(
    ['NAME', 'STATE', right('WAITING'), right('SENT'), right('READ')],
    rows.map(({ name, state, waiting, stats }) => [
      name,
      stateCell(state),
      waiting,
      sum(stats?.sent),
      sum(stats?.read),
    ]),
  );
}

function sum(counts: ReadonlyMap<string, number> | undefined): number | string {
  return counts === undefined ? '-' : [...counts.values()].reduce((a, b) => a + b, 0);
}
