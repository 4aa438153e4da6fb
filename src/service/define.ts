/** `defineService`: marks an export as a service, so that another process finds it in the same module. */
import { callerFile } from '../launch/caller-file.ts';
import type { ServiceClass, ServiceDefinition } from './definition.ts';

const mark: unique symbol = Symbol.for('ipc-manager.defined') as never;

/** What was made by {@link defineService}. */
export interface DefinedService<Request = unknown, Response = unknown, Params = unknown> {
  readonly [mark]: 'service' | 'worker';
  readonly body: ServiceDefinition<Request, Response, Params> | ServiceClass<Request, Response, Params>;
  /** The module, and how many definitions were made in it before this one. */
  readonly file: string | undefined;
  readonly ordinal: number;
}

const made = new Map<string, number>();

/**
 * Defines a service: callbacks and settings, or a class whose instances have them. To be exported from a module, which
 * {@link ipcmService} has another process import; the types of requests, answers and params come from `handleRequest`.
 */
export function defineService<Request = unknown, Response = unknown, Params = unknown>(
  body: ServiceDefinition<Request, Response, Params> | ServiceClass<Request, Response, Params>,
): DefinedService<Request, Response, Params> {
  const file = callerFile(defineService);
  const ordinal = made.get(file ?? '') ?? 0;
  made.set(file ?? '', ordinal + 1);
  return { [mark]: 'service', body, file, ordinal };
}

/** True for what {@link defineService} made, in whichever copy of this package. */
export function isDefined(value: unknown): value is DefinedService {
  return typeof value === 'object' && value !== null && mark in value;
}
