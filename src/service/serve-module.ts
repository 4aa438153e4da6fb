/** Runs the service of a module as this process: what `ipcm serve` does. */
import type { InfoInput } from '../connect.ts';
import { callerFile } from '../launch/caller-file.ts';
import { loadService, referenceOf } from './code.ts';
import { endOnCrash } from './crash.ts';
import { setCurrentService } from './current.ts';
import type { ServiceRuntime } from './runtime.ts';
import { startService, type RunningService, type ServeOptions } from './serve.ts';

/**
 * Runs the service that a module exports, and makes this process that service: `ipcmWorker` and `ipcmService` in its
 * callbacks are for it, `postFork` is called, and its workers go with the process. For programs that are a service and
 * nothing else, started by a service manager or from a shell; `module` is a URL or an absolute path, with `#name` for one of
 * several exports.
 *
 * Resolves when the service is ready. Rejects with `IPCM_SERVICE_FAILED` where the module has no service in it,
 * `IPCM_INVALID_OPTION` for what names no module, with what `postFork` or `onStart` threw, or as `ipcmConnect` does.
 */
export async function ipcmServeModule<Params = unknown>(
  name: string,
  info: InfoInput,
  module: string | URL,
  options: ServeOptions<Params> = {},
): Promise<RunningService<Params>> {
  const code = referenceOf('ipcmServeModule', module, callerFile(ipcmServeModule));
  setCurrentService(undefined);
  const body = await loadService(code);
  if (typeof body !== 'function') await body.postFork?.(options.params);
  let atCrash: (() => void) | undefined;
  const made = (each: ServiceRuntime): void => {
    setCurrentService(each);
    atCrash = endOnCrash(each);
  };
  const service = await startService(name, info, body, options, { made }).catch((error: unknown) => {
    atCrash?.();
    throw error;
  });
  const atExit = (): void => service.closeSync();
  process.once('exit', atExit);
  const ended = service.run().finally(() => {
    process.off('exit', atExit);
    atCrash?.();
  });
  return { service: service as RunningService<Params>['service'], ended };
}
