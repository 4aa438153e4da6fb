/** `ipcm peers`: who is on the bus. */
import type { Command } from 'commander';
import type { PeerEntry } from '../index.ts';
import { infoOf, withStore } from './bus.ts';
import type { GlobalOptions } from './options.ts';
import { printJson, printTable, say, type Cell } from './output.ts';

const examples = `
Looking leaves no trace: no client is made for it.

Examples:
  $ ipcm peers
  $ ipcm peers --json "$INFO" | jq -r 'select(.state == "active").name'`;

/** Adds the command. */
export function addPeers(program: Command): void {
  program
    .command('peers [info]')
    .summary('list the clients of a bus')
    .description('Lists the clients of a bus: their names, states and processes.')
    .addHelpText('after', examples)
    .action(async (info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const peers = await withStore(await infoOf(options, info), async (store) => store.peers());
      await show(byName(peers), options.json === true);
    });
}

/** Sorted by name. */
export function byName(peers: readonly PeerEntry[]): PeerEntry[] {
  return [...peers].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The state of a peer in its colour. */
export function stateCell(state: string): Cell {
  return { text: state, style: state === 'active' ? 'green' : state === 'dead' ? 'red' : 'yellow' };
}

async function show(peers: readonly PeerEntry[], json: boolean): Promise<void> {
  if (json) {
    await printJson(
      ...peers.map(({ name, state, identity, expiresAt }) => ({ name, state, pid: identity?.pid, expiresAt })),
    );
    return;
  }
  if (peers.length === 0) return say('nobody is on the bus');
  await printTable(
    ['NAME', 'STATE', { title: 'PID', align: 'right' }, 'UNTIL'],
    peers.map(({ name, state, identity, expiresAt }) => [
      name,
      stateCell(state),
      identity?.pid ?? '',
      expiresAt === undefined ? '' : new Date(expiresAt * 1000).toISOString(),
    ]),
  );
}
