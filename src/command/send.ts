/** `ipcm send`: one message to one peer. */
import type { Command } from 'commander';
import { infoOf, readStdin, withSender } from './bus.ts';
import { contentOf, nameOption, type GlobalOptions } from './options.ts';

interface SendCommandOptions extends GlobalOptions {
  readonly name?: string;
  readonly text?: boolean;
}

const examples = `
Without CONTENT, or with "-", the content is read from stdin. A peer that does not exist is exit code 4.

Examples:
  $ ipcm send worker '{"job":1}'
  $ ipcm send worker --text 'just words'
  $ jq -n '{big: [range(1000)]}' | ipcm send worker -
  $ ipcm send --name boss worker '"answer me"' "$INFO"`;

/** Adds the command. */
export function addSend(program: Command): void {
  program
    .command('send <peer> [content] [info]')
    .summary('send one message')
    .description('Sends CONTENT, any JSON value but null, to PEER.')
    .addOption(nameOption())
    .option('--text', 'CONTENT is not JSON but a text, to be sent as it is')
    .addHelpText('after', examples)
    .action(
      async (
        peer: string,
        content: string | undefined,
        info: string | undefined,
        _options: unknown,
        command: Command,
      ) => {
        const options = command.optsWithGlobals<SendCommandOptions>();
        const bus = await infoOf(options, info);
        const value = contentOf(
          content === undefined || content === '-' ? await readStdin() : content,
          options.text === true,
        );
        await withSender(options.name, bus, options.json === true, (client) => client.sendMessage(peer, value));
      },
    );
}
