/** `ipcmWorker`: starts a process that is part of a service. */
import { IpcError, quote } from '../errors.ts';
import { callerFile } from '../launch/caller-file.ts';
import type { LaunchOptions } from '../launch/options.ts';
import { launch } from '../launch/spares.ts';
import type { ServiceWorker } from './children.ts';
import { referenceOf } from './code.ts';
import { currentService } from './current.ts';
import type { Service } from './definition.ts';
import type { WorkerContext } from './worker-context.ts';

/** Options of {@link ipcmWorker}. */
export interface WorkerOptions<Params = unknown> extends Omit<LaunchOptions, 'daemonize'> {
  /** What the worker finds as `params`: anything that `structuredClone` can copy. */
  readonly params?: Params | undefined;
  /** The service that it is part of. Default: the one that this process is. */
  readonly service?: Service | undefined;
}

/** The function of a worker: itself if it is self-contained, or the module that exports it. */
export type WorkerInput<Params = unknown> = ((context: WorkerContext<Params>) => unknown) | string | URL;

/**
 * Starts a worker: a process that runs one function, and ends when the function returns. It is part of the service that it
 * was started from, and ends with it, however that ends: SIGTERM, by which `context.signal` aborts, then SIGKILL.
 *
 * Resolves when the worker is about to call the function. Rejects with `IPCM_NOT_IN_SERVICE` outside a service,
 * `IPCM_SERVICE_FAILED` (with the worker's error as the cause, and the end of its stderr), `IPCM_TIMEOUT`, `IPCM_INVALID_OPTION`.
 */
export async function ipcmWorker<Params = unknown>(
  name: string,
  what: WorkerInput<Params>,
  options: WorkerOptions<Params> = {},
): Promise<ServiceWorker> {
  const service = options.service ?? currentService();
  if (service === undefined) {
    throw new IpcError(
      'IPCM_NOT_IN_SERVICE',
      `ipcmWorker: worker ${quote(name)} needs a service to be part of; call it in a callback of one, or give {service}`,
    );
  }
  const code = referenceOf('ipcmWorker', what, callerFile(ipcmWorker));
  const launched = launch('ipcmWorker', `worker "${name}"`, options);
  const worker = service.children.addWorker(name, launched);
  try {
    launched.assign({
      role: 'worker',
      name,
      info: service.ipcmInfo,
      code,
      params: options.params,
      settings: { service: service.name, grace: 0, drainTimeout: 500 },
    });
    await launched.ready(options.startTimeout);
  } catch (error) {
    launched.release();
    launched.kill('SIGKILL');
    throw error;
  }
  return worker;
}
