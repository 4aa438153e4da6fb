/** In a started process: notices that the one who started it has gone. */
import { Socket } from 'node:net';
import { controlDescriptor } from './frames.ts';

/** A signal that aborts when the starter has gone or has let go. Listening does not hold the process. */
export function whenStarterIsGone(): AbortSignal {
  const controller = new AbortController();
  const socket = new Socket({ fd: controlDescriptor, readable: true, writable: false });
  socket.on('error', () => undefined);
  socket.once('close', () => controller.abort());
  socket.resume();
  socket.unref();
  return controller.signal;
}
