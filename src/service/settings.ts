/** The settings of a service with every default filled in. */
import { IpcError, quote } from '../errors.ts';
import type { ServiceSettings } from './definition.ts';

/** See {@link ServiceSettings}. */
export interface ResolvedSettings {
  readonly interval: number;
  readonly watchPids: readonly number[];
  readonly interceptErrors: boolean;
  readonly exposeErrorDetails: boolean;
  readonly concurrency: number;
  readonly drainTimeout: number;
  readonly grace: number;
}

/** The names of the settings. */
const names = [
  'interval',
  'watchPids',
  'interceptErrors',
  'exposeErrorDetails',
  'concurrency',
  'drainTimeout',
  'grace',
] as const satisfies readonly (keyof ServiceSettings)[];

/** The settings among other options. */
export function settingsOf(options: ServiceSettings): ServiceSettings {
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

/** Fills in the defaults; what stands later wins. Throws `IPCM_INVALID_OPTION`. */
export function resolveSettings(...layers: readonly ServiceSettings[]): ResolvedSettings {
  const given = layers.reduce<ServiceSettings>((all, layer) => ({ ...all, ...settingsOf(layer) }), {});
  const { watchPids = [], interceptErrors = false, exposeErrorDetails = false } = given;
  for (const pid of watchPids) {
    if (!Number.isSafeInteger(pid) || pid <= 0) throw invalid('watchPids', 'a list of process ids', watchPids);
  }
  return {
    interval: number('interval', given.interval ?? 200, 1),
    watchPids,
    interceptErrors,
    exposeErrorDetails,
    concurrency: number('concurrency', given.concurrency ?? 256, 1),
    drainTimeout: number('drainTimeout', given.drainTimeout ?? 5000, 0),
    grace: number('grace', given.grace ?? 5000, 0),
  };
}

/** Milliseconds after which a service is ended that has not come to its end: twice what that may take. */
export function longestEnd({ grace, drainTimeout }: ResolvedSettings): number {
  return Math.min(2 * (grace + drainTimeout), 2 ** 30);
}

function number(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw invalid(name, `a number of at least ${least}`, value);
}

function invalid(name: string, what: string, value: unknown): IpcError {
  return new IpcError('IPCM_INVALID_OPTION', `a service's ${name} is ${what}, not ${quote(value)}`);
}
