// A service that starts another one and asks it: nested services share the bus, and end with the service that started them.
import { defineService, ipcmService, type ServicePeer } from 'ipc-manager/service';
import backend from './backend.ts';

let squares: ServicePeer<number, { square: number }>;
const known = new Map<number, unknown>();

export default defineService({
  async onStart() {
    // Resolves when the backend is ready, so that no request comes too early.
    squares = await ipcmService('backend', backend);
  },
  async handleRequest(n: number, { signal, deadline }) {
    if (known.has(n)) return { ...(known.get(n) as object), cached: true };
    // Whoever gives up waiting for us does not let the backend work on.
    const timeout = deadline === undefined ? undefined : Math.max(deadline - Date.now(), 0);
    const answer = await squares.request(n, { signal, timeout });
    known.set(n, answer);
    return { ...answer, cached: false };
  },
});
