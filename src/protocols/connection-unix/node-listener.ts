/**
 * The listening socket of a client, with what Node has.
 *
 * libuv removes the path that a server was bound to when the server closes, whoever has made what is there by then: that is
 * the path aside, so closing removes nothing that is not ours.
 */
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { systemCode } from '../../errors.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { removeFile } from '../directory/files.ts';
import { privatePath, publish } from './aside.ts';
import { backlog, type Listener, type ListenerOwner } from './listener.ts';
import { NodeSocket } from './node-socket.ts';
import { turns } from './turns.ts';

async function listenAt(server: Server, path: string): Promise<void> {
  try {
    // Exclusive: a worker of node:cluster would otherwise ask its primary to listen, and share the socket.
    await once(server.listen({ path, backlog, exclusive: true }), 'listening');
  } catch (error) {
    throw systemCode(error) === 'EADDRINUSE' ? Object.assign(new Error(`${path} is taken`), { code: 'EEXIST' }) : error;
  }
}

/** A server at a client's entry. */
export class NodeListener implements Listener {
  readonly #server: Server;
  readonly #waiting: NodeSocket[] = [];
  #owner: ListenerOwner | undefined;
  #accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.unref();
    server.on('connection', (connected) => {
      const socket = new NodeSocket(connected);
      this.#accepted++;
      if (this.#owner === undefined) this.#waiting.push(socket);
      else this.#owner.accept(socket);
    });
    // Nothing is heard here of a process without descriptors: libuv takes what connects, and closes it.
    server.on('error', (error) => this.#owner?.failed(error));
  }

  /** Listens at `path`. Throws the system's error, `EEXIST` where something is there. */
  static async at(path: string, mode: number, identity: ProcessIdentity): Promise<NodeListener> {
    const { createServer } = process.getBuiltinModule('node:net');
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const aside = privatePath(path, identity);
    // Without room for the private path (a route of more than some 90 bytes) it has to be the entry itself.
    await listenAt(server, aside ?? path);
    try {
      chmodSync(aside ?? path, mode);
      if (aside !== undefined) publish(aside, path);
    } catch (error) {
      server.close();
      if (aside !== undefined) removeFile(aside);
      throw error;
    }
    return new NodeListener(server);
  }

  start(owner: ListenerOwner): void {
    this.#owner = owner;
    for (const socket of this.#waiting.splice(0)) owner.accept(socket);
  }

  async drain(): Promise<void> {
    if (!this.#server.listening) return;
    let before: number;
    do {
      before = this.#accepted;
      await turns(2);
    } while (this.#accepted > before && this.#server.listening);
    this.close();
  }

  close(): void {
    if (this.#server.listening) this.#server.close();
  }
}
