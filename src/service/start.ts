/** `ipcmService`: starts a service in a process of its own. */
import { ipcmSpawn, type SpawnOptions } from '../bus.ts';
import { checkName } from '../client/options.ts';
import { ipcmConnect, type ConnectOptions, type InfoInput } from '../connect.ts';
import { IpcError } from '../errors.ts';
import { callerFile } from '../launch/caller-file.ts';
import type { Launched } from '../launch/launched.ts';
import type { LaunchOptions } from '../launch/options.ts';
import { formatInfo, parseInfo } from '../spawn/connection-info.ts';
import type { Spawn } from '../spawn/spawn.ts';
import { OwnAnswers, SharedAnswers } from './answers.ts';
import { launch } from '../launch/spares.ts';
import { assignmentOf, checkReach, parentService } from './assign.ts';
import { referenceOf } from './code.ts';
import type { DefinedService } from './define.ts';
import type { Service, ServiceDefinition, ServiceSettings } from './definition.ts';
import { ServiceHandle } from './handle.ts';
import { takeHandleName } from './handle-name.ts';
import { withAccessTo } from '../spawn/held-access.ts';
import { withAccessOf } from './held-access.ts';

/** Options of {@link ipcmService}. */
export interface ServiceOptions<Params = unknown> extends ServiceSettings, LaunchOptions {
  /** What the service finds as `service.params`: anything that `structuredClone` can copy. It travels by a private pipe. */
  readonly params?: Params | undefined;
  /** The bus. Default: inside a service its bus, else a fresh one that goes with the handle. */
  readonly ipcmInfo?: InfoInput | undefined;
  /** How to make the fresh bus. */
  readonly spawn?: SpawnOptions | undefined;
  /** Options of the service's client, and of the handle's; functions and handles cannot travel. */
  readonly connect?: ConnectOptions | undefined;
  /** Wait until the service is ready. Default true; else `handle.ready()` tells, and a failed start is seen by requests. */
  readonly wait?: boolean | undefined;
  /** Start it from this service rather than from the one that this process is. */
  readonly service?: Service | undefined;
}

/** What names a service to start: a definition that its module exports, the module, or a self-contained function or object. */
export type ServiceInput<Request = unknown, Response = unknown, Params = unknown> =
  | DefinedService<Request, Response, Params>
  | ServiceDefinition<Request, Response, Params>
  | ((request: Request, context: never) => Response | Promise<Response>)
  | string
  | URL;

/**
 * Starts a service in a process of its own, and resolves when it is ready.
 *
 * Outside a service: on the bus of `ipcmInfo`, or on a fresh one that goes with the handle. Inside a service: on its bus, by
 * the client of that service, which is what reads the answers. Either way the service ends with the process that started it,
 * unless it is a daemon.
 *
 * Rejects with `IPCM_SERVICE_FAILED` (with the service's own error as the cause, and the end of its stderr), `IPCM_TIMEOUT`,
 * `IPCM_INVALID_OPTION`, `IPCM_INVALID_NAME`, `IPCM_NOT_SUPPORTED`, or as `ipcmSpawn` and `ipcmConnect` do.
 */
export async function ipcmService<Request = unknown, Response = unknown, Params = unknown>(
  name: string,
  what: ServiceInput<Request, Response, Params>,
  options: ServiceOptions<Params> = {},
): Promise<ServiceHandle<Request, Response>> {
  checkName('ipcmService', name);
  const code = referenceOf('ipcmService', what, callerFile(ipcmService));
  const parent = options.service ?? (options.ipcmInfo === undefined ? parentService('ipcmService') : undefined);
  if (options.daemonize === true && parent === undefined && options.ipcmInfo === undefined) {
    throw new IpcError(
      'IPCM_INVALID_OPTION',
      `ipcmService: a daemon needs a bus that outlives this process; give ipcmInfo, of a store spawned with {guard: false}`,
    );
  }
  const connect = withAccessOf(parent, options.connect);
  const launched = launch('ipcmService', `service "${name}"`, options);
  const assign = (info: string, bus?: InfoInput): void => {
    const nested = parent !== undefined && options.daemonize !== true;
    const assigned = { ...options, nested, connect: withAccessTo(bus, connect) };
    launched.assign(assignmentOf(name, info, code, assigned));
  };
  try {
    if (parent !== undefined) return await startNested(parent, name, launched, assign, options);
    return await startWithHandle(name, launched, assign, options);
  } catch (error) {
    launched.release();
    launched.kill('SIGKILL');
    throw error;
  }
}

async function startNested<Request, Response>(
  parent: Service,
  name: string,
  launched: Launched,
  assign: (info: string) => void,
  options: LaunchOptions & { readonly wait?: boolean | undefined },
): Promise<ServiceHandle<Request, Response>> {
  checkReach('ipcmService', name, parent.client);
  assign(parent.ipcmInfo);
  // Nobody waits, nor gives up.
  if (options.wait === false && options.daemonize === true) launched.keep();
  if (options.daemonize !== true) parent.children.addService(name, launched);
  if (options.wait !== false) await launched.ready(options.startTimeout);
  const answers = new SharedAnswers(parent.client, parent.requests);
  return new ServiceHandle({ name, answers, bus: undefined, ipcmInfo: parent.ipcmInfo, launched });
}

async function startWithHandle<Request, Response>(
  name: string,
  launched: Launched,
  assign: (info: string, bus?: InfoInput) => void,
  options: ServiceOptions,
): Promise<ServiceHandle<Request, Response>> {
  // The new process boots while the bus is made.
  const bus = options.ipcmInfo === undefined ? await ipcmSpawn({ ...options.spawn }) : undefined;
  try {
    const [protocol, serializer, route] = parseInfo('ipcmService', options.ipcmInfo ?? bus ?? '');
    const ipcmInfo = formatInfo([protocol, serializer, route]);
    if (bus !== undefined) checkReach('ipcmService', name, bus);
    assign(ipcmInfo, options.ipcmInfo ?? bus);
    // Nobody waits, nor gives up.
    if (options.wait === false && options.daemonize === true) launched.keep();
    const connect = withAccessTo(options.ipcmInfo, options.connect);
    const client = await connectHandle(takeHandleName(name), bus, ipcmInfo, connect);
    const answers = new OwnAnswers(client);
    const handle = new ServiceHandle<Request, Response>({ name, answers, bus, ipcmInfo, launched });
    try {
      checkReach('ipcmService', name, client);
      if (options.wait !== false) await launched.ready(options.startTimeout);
    } catch (error) {
      await answers.close(new IpcError('IPCM_NOT_CONNECTED', `service "${name}" did not start`));
      throw error;
    }
    if (options.daemonize === true && options.wait !== false) launched.release();
    return handle;
  } catch (error) {
    await bus?.unspawn();
    throw error;
  }
}

/** What a handle waits for ends with its process: there is nothing that would have to come again. */
function connectHandle(name: string, bus: Spawn | undefined, info: string, options: ConnectOptions | undefined) {
  const plain = { ...options, ack: false };
  return bus === undefined ? ipcmConnect(name, info, plain) : bus.connect(name, plain);
}

/**
 * A handle for a service that somebody else started, with a client of its own.
 * Rejects as `ipcmConnect` does; whether the service is there tells `ready`.
 */
export async function ipcmServiceHandle<Request = unknown, Response = unknown>(
  name: string,
  info: InfoInput,
  options: ConnectOptions & { readonly client?: string | undefined } = {},
): Promise<ServiceHandle<Request, Response>> {
  checkName('ipcmServiceHandle', name);
  const { client: clientName = takeHandleName(name), ...rest } = options;
  const client = await ipcmConnect(clientName, info, { ...rest, ack: false });
  const ipcmInfo = formatInfo(parseInfo('ipcmServiceHandle', info));
  return new ServiceHandle({ name, answers: new OwnAnswers(client), ipcmInfo, bus: undefined, launched: undefined });
}
