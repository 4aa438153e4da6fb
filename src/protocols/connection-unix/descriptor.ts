/**
 * The descriptor of a socket, for which Node has no public name. What needs it does without where Node should change: it
 * reads what a broken connection still holds, and asks who is at its other end.
 */
import type { Socket } from 'node:net';

/** The descriptor; undefined where there is none to be had. */
export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null })._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
