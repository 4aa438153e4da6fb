/** What a process is told that shall be a service, and whether it can be one. */
import type { SpawnOptions } from '../bus.ts';
import { clientOptionsOf } from '../client/options.ts';
import type { ConnectOptions } from '../connect.ts';
import { IpcError } from '../errors.ts';
import type { Assignment, CodeReference } from '../launch/assignment.ts';
import type { Protocol } from '../protocol/protocol.ts';
import { currentService, insideService } from './current.ts';
import type { Service, ServiceSettings } from './definition.ts';
import { settingsOf } from './settings.ts';

/** The options that concern the service itself. */
export interface AssignedOptions extends ServiceSettings {
  readonly params?: unknown;
  readonly daemonize?: boolean | undefined;
  readonly spawn?: SpawnOptions | undefined;
  readonly connect?: ConnectOptions | undefined;
  /** Whoever starts it ends it in its turn, when an interrupt reaches both. */
  readonly nested?: boolean | undefined;
}

/** What the process of a service is told. */
export function assignmentOf(name: string, info: string, code: CodeReference, options: AssignedOptions): Assignment {
  // A protocol or serializer that is an object cannot travel; the info names it.
  const connect = clientOptionsOf({ ...options.spawn, ...options.connect });
  const settings = { ...settingsOf(options), connect, daemon: options.daemonize === true, nested: options.nested };
  return { role: 'service', name, info, code, params: options.params, settings };
}

/** A service has a process of its own, which some protocols do not reach. Throws `IPCM_NOT_SUPPORTED`. */
export function checkReach(call: string, name: string, { protocol }: { readonly protocol: Protocol }): void {
  if (protocol.capabilities.crossProcess) return;
  throw new IpcError(
    'IPCM_NOT_SUPPORTED',
    `${call}: service "${name}" would have a process of its own, and ${protocol.name} reaches only one; ` +
      'run it in this process with ipcmServe, or use another protocol',
    { protocol: protocol.name },
  );
}

/** The service that this process is. Throws while its module is being imported: the start would go on for ever. */
export function parentService(call: string): Service | undefined {
  const service = currentService();
  if (service !== undefined || !insideService()) return service;
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `${call} was called while the module of a service was being imported, in the process of that service; ` +
      'put the definition into a module of its own, or call it only if insideService() is false',
  );
}
