/**
 * The service that this process is, if it is one. Kept under a global symbol: a service's module may import the package
 * from another place than the program that runs it, and both must mean the same service.
 */
import type { Service } from './definition.ts';

const key = Symbol.for('ipc-manager.service');
const place = globalThis as { [key]?: Service };

/** The service that this process is. */
export function currentService(): Service | undefined {
  return place[key];
}

/** True in a process that runs a service, also while its module is being imported. */
export function insideService(): boolean {
  return key in place;
}

/** Says that this process is going to be a service, then which. */
export function setCurrentService(service: Service | undefined): void {
  Object.assign(place, { [key]: service });
}
