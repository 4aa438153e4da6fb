/** Runs a service in this very process. */
import { ipcmConnect, type ConnectOptions, type InfoInput } from '../connect.ts';
import { formatInfo, parseInfo } from '../spawn/connection-info.ts';
import type { Service, ServiceClass, ServiceDefinition, ServiceSettings } from './definition.ts';
import { isDefined, type DefinedService } from './define.ts';
import { withAccessTo } from '../spawn/held-access.ts';
import { holdAccess } from './held-access.ts';
import { ServiceRuntime } from './runtime.ts';
import { settingsOf } from './settings.ts';

/** Options of {@link ipcmServe}; settings given here win over those of the definition. */
export interface ServeOptions<Params = unknown> extends ServiceSettings {
  /** What callbacks find as `service.params`. */
  readonly params?: Params | undefined;
  /**
   * Options of its client. With `ack` a message is acknowledged when it has been dealt with: what was in hand when the
   * service was killed comes again to its successor.
   */
  readonly connect?: ConnectOptions | undefined;
  /** End the service on SIGTERM, SIGINT and SIGHUP; a second one ends the process at once. Default false. */
  readonly handleSignals?: boolean | undefined;
}

/** A service of this process. */
export interface RunningService<Params = unknown> {
  readonly service: Service<Params>;
  /** Resolves when the service has ended; rejects with what ended it, if that was an error. */
  readonly ended: Promise<void>;
}

/** What a service can be written as: callbacks, a class, or either made by `defineService`. */
export type ServiceBody<Request = unknown, Response = unknown, Params = unknown> =
  | ServiceDefinition<Request, Response, Params>
  | ServiceClass<Request, Response, Params>
  | DefinedService<Request, Response, Params>;

/**
 * Runs a service in this process, beside whatever else it does. Resolves when the service is ready: connected, and
 * `onStart` done. Rejects with what `onStart` threw, or as `ipcmConnect` does.
 */
export async function ipcmServe<Request = unknown, Response = unknown, Params = unknown>(
  name: string,
  info: InfoInput,
  body: ServiceBody<Request, Response, Params>,
  options: ServeOptions<Params> = {},
): Promise<RunningService<Params>> {
  const plain = (isDefined(body) ? body.body : body) as ServiceDefinition | ServiceClass;
  const started = await startService(name, info, plain, options);
  return { service: started as Service<Params>, ended: started.run() };
}

/** What a process has to do with the service that it is. */
export interface ServiceProcess {
  /** See `ServiceParts`. */
  readonly nested?: boolean | undefined;
  /** Gets the service before anything of its author's runs. */
  made?(service: ServiceRuntime): void;
  /** Its settings are known. */
  settled?(service: ServiceRuntime): void;
}

/** Connects and starts. The caller runs it. */
export async function startService(
  name: string,
  info: InfoInput,
  body: ServiceDefinition | ServiceClass,
  options: ServeOptions,
  self: ServiceProcess = {},
): Promise<ServiceRuntime> {
  const client = await ipcmConnect(name, info, { ...options.connect, service: true });
  let service: ServiceRuntime | undefined;
  try {
    const ipcmInfo = formatInfo(parseInfo('ipcmServe', info));
    const settings = settingsOf(options);
    const handleSignals = options.handleSignals ?? false;
    const acknowledge = options.connect?.ack === true;
    const { params } = options;
    const { nested = false } = self;
    service = new ServiceRuntime({ name, ipcmInfo, params, client, settings, handleSignals, nested, acknowledge });
    holdAccess(service, withAccessTo(info, options.connect) ?? {});
    self.made?.(service);
    const start = service.start(typeof body === 'function' ? new body(service) : body);
    self.settled?.(service);
    await start;
    return service;
  } catch (error) {
    service?.end(error);
    // Ends what it has begun; its error is the one that is told.
    await (service === undefined ? client.disconnect(() => undefined) : service.run()).catch(() => undefined);
    throw error;
  }
}
