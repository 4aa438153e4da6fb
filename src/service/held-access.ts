/**
 * As whom a service has connected to a database server, for the services that it starts: they share its bus. Held apart from
 * the service itself, which its author may print.
 */
import type { ConnectOptions } from '../connect.ts';
import type { Service } from './definition.ts';

type Access = Pick<ConnectOptions, 'user' | 'pass'>;

const held = new WeakMap<Service, Access>();

/** Remembers it. */
export function holdAccess(service: Service, { user, pass }: Access): void {
  held.set(service, { user, pass });
}

/** Options with which another process gets in too: those that were given, and else those of the service that starts it. */
export function withAccessOf(parent: Service | undefined, options: ConnectOptions | undefined): ConnectOptions {
  return { ...(parent === undefined ? undefined : held.get(parent)), ...options };
}
