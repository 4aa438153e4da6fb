/** `ipcm destroy`: removes a store that was meant to stay. */
import type { Command } from 'commander';
import { infoOf, withStore } from './bus.ts';
import { CommandError, exitCodes } from './exit.ts';
import type { GlobalOptions } from './options.ts';
import { printJson, say } from './output.ts';

interface DestroyOptions extends GlobalOptions {
  readonly force?: boolean;
}

const examples = `
Refuses while clients are connected (exit code 1), unless --force is given: their next call then fails with
IPCM_STORE_MISSING. Messages that wait are removed with the store.

Examples:
  $ ipcm destroy "$INFO"
  $ ipcm broadcast '{"terminate":1}' && ipcm destroy
  $ ipcm destroy --force`;

/** Adds the command. */
export function addDestroy(program: Command): void {
  program
    .command('destroy [info]')
    .summary('remove a store made with --keep')
    .description('Removes a store and everything in it.')
    .option('--force', 'also while clients are connected')
    .addHelpText('after', examples)
    .action(async (info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DestroyOptions>();
      await destroy(await infoOf(options, info), options);
    });
}

async function destroy(info: string, options: DestroyOptions): Promise<void> {
  await withStore(info, async (store) => {
    const peers = await store.peers();
    const active = peers.filter(({ state }) => state === 'active');
    if (active.length > 0 && options.force !== true) {
      const who = active.map(({ name, identity }) => `${JSON.stringify(name)} (pid ${identity?.pid ?? 'unknown'})`);
      throw new CommandError(
        'IPCM_STORE_IN_USE',
        `${who.slice(0, 10).join(', ')}${who.length > 10 ? `, and ${who.length - 10} more,` : ''} still connected to ` +
          `${store.route}; ask them to end with: ipcm broadcast '{"terminate":1}', or give --force`,
        exitCodes.failure,
        { peers: active.map(({ name }) => name) },
      );
    }
    let lost = 0;
    for (const { name } of peers) lost += await store.waiting(name);
    await store.remove();
    if (options.json === true)
      await printJson({ route: store.route, removed: true, clients: peers.length, unread: lost });
    else say(`removed ${store.route}: ${peers.length} clients, ${lost} unread messages`);
  });
}
