/** `ipcm serve`: the service of a module, run by this process. */
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { IpcError, ipcmSpawn, isIpcError } from '../index.ts';
import { ipcmServeModule, type RunningService } from '../service/index.ts';
import { access } from './access.ts';
import { infoOf, readStdin } from './bus.ts';
import { contentOf, type GlobalOptions } from './options.ts';
import { print, printJson, say } from './output.ts';
import { onInterrupt } from './signals.ts';
import { endBus } from './spawn.ts';

interface ServeCommandOptions extends GlobalOptions {
  readonly name?: string;
  readonly params?: string;
}

const examples = `
MODULE exports what defineService returns, or a function that answers requests; MODULE#name picks one of several exports.
When the service is ready, the info of the bus is printed. Without a bus one is made, which goes with this process.
Ctrl-C or SIGTERM ends it: requests in hand are answered, workers ended. Signals that the module handles are its own.

Examples:
  $ ipcm serve echo.ts                         # makes a bus; its info is the first line on stdout
  $ ipcm serve ./jobs.mjs --name jobs --params '{"workers":4}' "$INFO"
  $ jq -n '{token: env.TOKEN}' | ipcm serve ./jobs.mjs --params -`;

/** Adds the command. */
export function addServe(program: Command): void {
  program
    .command('serve <module> [info]')
    .summary('run the service of a module')
    .description('Runs the service that MODULE exports, in this process, until it ends.')
    .option('--name <name>', 'name of the service (the name of the file)')
    .option('--params <json>', 'what the service finds as its params; "-" reads them from stdin')
    .addHelpText('after', examples)
    .action(async (module: string, info: string | undefined, _options: unknown, command: Command) => {
      await serve(module, info, command.optsWithGlobals<ServeCommandOptions>());
    });
}

async function serve(module: string, info: string | undefined, options: ServeCommandOptions): Promise<void> {
  const name = options.name ?? nameOf(module);
  const params = await paramsOf(options.params);
  // Before anything is there that a signal could leave behind.
  const interruption = onInterrupt('finishing what is in hand');
  const hasBus = (info ?? options.info ?? options.route ?? process.env['IPCM_INFO'] ?? '') !== '';
  const bus = hasBus
    ? undefined
    : await ipcmSpawn({ protocol: options.protocol, serializer: options.serializer, ...access() });
  try {
    const ipcmInfo = bus?.info ?? (await infoOf(options, info));
    const serving = { params, connect: access() };
    const running = await ipcmServeModule(name, ipcmInfo, locate(module), serving).catch((error: unknown) => {
      throw ofService(error, `service "${name}" did not start`);
    });
    interruption.leaveToOthers();
    await announce(running, options.json === true);
    await untilEnded(running, interruption.signal).catch((error: unknown) => {
      throw ofService(error, `service "${name}" failed`);
    });
  } catch (error) {
    await bus?.unspawn();
    throw error;
  }
  if (bus !== undefined) await endBus(bus, { json: options.json });
}

/** What the module threw is no fault of this command, and nothing that its user would know by a code of the library. */
function ofService(error: unknown, what: string): unknown {
  if (isIpcError(error)) return error;
  if (error instanceof AggregateError) {
    return new AggregateError(error.errors.map((each) => ofService(each, what)));
  }
  const text = error instanceof Error ? error.message : String(error);
  return new IpcError('IPCM_SERVICE_FAILED', `${what}: ${text}; IPCM_DEBUG=1 shows where`, { cause: error });
}

async function untilEnded({ service, ended }: RunningService, interrupted: AbortSignal): Promise<void> {
  const end = (): void => service.end();
  if (interrupted.aborted) end();
  interrupted.addEventListener('abort', end, { once: true });
  await ended;
}

async function announce({ service: { name, pid, ipcmInfo } }: RunningService, json: boolean): Promise<void> {
  if (json) {
    await printJson({ info: ipcmInfo, name, pid });
    return;
  }
  await print(`${ipcmInfo}\n`);
  say(`service "${name}" (pid ${pid}) is ready`);
}

async function paramsOf(text: string | undefined): Promise<unknown> {
  if (text === undefined) return undefined;
  return contentOf(text === '-' ? await readStdin() : text, undefined, '--params');
}

/** The file's name without its endings: `jobs` for `/srv/jobs.ts#default`. */
function nameOf(module: string): string {
  return basename(module.replace(/#[^/#]*$/, '')).replace(/(?<=.)\.[^.]+$/, '');
}

/** A URL, or a path as it is meant here, with the name of the export behind it. */
function locate(module: string): string {
  if (/^(?:file|data):/.test(module)) return module;
  const [, path = module, name] = /^(.*)#([^/#]*)$/s.exec(module) ?? [];
  const url = pathToFileURL(resolve(path)).href;
  return name === undefined ? url : `${url}#${name}`;
}
