/** `ipcm broadcast`: one message to everybody. */
import type { Command } from 'commander';
import { infoOf, readStdin, withSender } from './bus.ts';
import { exitCodeFor, reportError } from './exit.ts';
import { contentOf, nameOption, type GlobalOptions } from './options.ts';
import { print, printJson, printable } from './output.ts';

interface BroadcastCommandOptions extends GlobalOptions {
  readonly name?: string;
  readonly text?: boolean;
}

const examples = `
Prints who got it, a name a line; whoever did not is told on stderr, and makes the exit code 4 or 1.

Examples:
  $ ipcm broadcast '{"reload":true}'
  $ ipcm broadcast '{"terminate":1}'           # asks every client to end
  $ ipcm broadcast --json --text 'lunch!' "$INFO"`;

/** Adds the command. */
export function addBroadcast(program: Command): void {
  program
    .command('broadcast [content] [info]')
    .summary('send one message to every client')
    .description('Sends CONTENT, any JSON value but null, to every client of the bus.')
    .addOption(nameOption())
    .option('--text', 'CONTENT is not JSON but a text, to be sent as it is')
    .addHelpText('after', examples)
    .action(async (content: string | undefined, info: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<BroadcastCommandOptions>();
      const bus = await infoOf(options, info);
      const value = contentOf(
        content === undefined || content === '-' ? await readStdin() : content,
        options.text === true,
      );
      process.exitCode = await broadcast(bus, value, options);
    });
}

async function broadcast(bus: string, content: unknown, options: BroadcastCommandOptions): Promise<number> {
  const json = options.json === true;
  const outcomes = await withSender(options.name, bus, json, (client) => client.broadcast(content));
  let exitCode = 0;
  for (const [peer, outcome] of outcomes) {
    if (json) {
      await printJson(
        outcome.sent
          ? { peer, sent: true }
          : { peer, sent: false, code: outcome.error.code, message: outcome.error.message },
      );
    } else if (outcome.sent) {
      await print(`${printable(peer)}\n`);
    }
    if (outcome.sent) continue;
    reportError(outcome.error, json);
    exitCode ||= exitCodeFor(outcome.error);
  }
  return exitCode;
}
