/** `ipcm request`: one request to one service. */
import type { Command } from 'commander';
import { ipcmServiceHandle, type ServiceHandle } from '../service/index.ts';
import { access } from './access.ts';
import { infoOf, listenIn, readStdin } from './bus.ts';
import { exitCodes } from './exit.ts';
import { contentOf, nameOption, seconds, type GlobalOptions } from './options.ts';
import { print, printable, printJson } from './output.ts';
import { onInterrupt } from './signals.ts';

interface RequestCommandOptions extends GlobalOptions {
  readonly name?: string;
  readonly text?: boolean;
  readonly timeout?: number;
}

const examples = `
Prints the answer as a line of JSON. Without REQUEST, or with "-", the request is read from stdin.
Exit codes: 1 the service answered with an error, 3 no answer in time, 4 the service is not there or died before it answered.
Ctrl-C takes the request back.

Examples:
  $ ipcm request adder '[1,2,3]' | jq .
  $ ipcm request -W 5 jobs '{"run":"backup"}'
  $ ipcm request echo --text 'just words'`;

/** Adds the command. */
export function addRequest(program: Command): void {
  program
    .command('request <service> [request] [info]')
    .summary('ask a service and print its answer')
    .description('Sends REQUEST, any JSON value, to SERVICE and prints the answer.')
    .addOption(nameOption())
    .option('-W, --timeout <seconds>', 'wait no longer than that (for ever, while the service lives)', seconds)
    .option('--text', 'REQUEST is not JSON but a text, and an answer that is a text is printed as one')
    .addHelpText('after', examples)
    .action(
      async (
        service: string,
        request: string | undefined,
        info: string | undefined,
        _options: unknown,
        command: Command,
      ) => {
        const options = command.optsWithGlobals<RequestCommandOptions>();
        const bus = await infoOf(options, info);
        const given = request === undefined || request === '-' ? await readStdin() : request;
        const value = contentOf(given, options.text === true, 'the request');
        process.exitCode = await ask(service, value, bus, options);
      },
    );
}

async function ask(service: string, value: unknown, bus: string, options: RequestCommandOptions): Promise<number> {
  const { signal } = onInterrupt('taking the request back');
  const handle: ServiceHandle = await ipcmServiceHandle(service, bus, {
    client: options.name ?? `ipcm-${process.pid}`,
    ...access(),
  });
  listenIn(handle.client, options.json === true);
  let answer: unknown;
  try {
    answer = await handle.request(value, { timeout: options.timeout, signal });
  } catch (error) {
    if (signal.aborted) return exitCodes.interrupted;
    throw error;
  } finally {
    await handle.stop();
  }
  if (options.text === true && typeof answer === 'string') {
    await print(`${process.stdout.isTTY ? printable(answer) : answer}\n`);
  } else {
    await printJson(answer);
  }
  return exitCodes.ok;
}
