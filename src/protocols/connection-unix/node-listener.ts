/**
 * The listening socket of a client, with what Node has.
 *
 * libuv removes the path that a server was bound to when the server closes, whoever has made what is there by then. So it is
 * bound to a path of its own inside `.ipcm`, which is private whatever the mode of the route, and then linked to the
 * client's name: that fails where something is there, and closing removes nothing that is not ours.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, linkSync, renameSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { systemCode } from '../../errors.ts';
import type { ProcessIdentity } from '../../liveness/identity.ts';
import { look, removeFile } from '../directory/files.ts';
import { hiddenFolder, stagingPath } from '../directory/owner.ts';
import { backlog, longestPath, type Listener, type ListenerOwner } from './listener.ts';
import { turns } from './turns.ts';

/** Where there is room for it, one that is removed with what else a dead process was writing. */
function privatePath(path: string, identity: ProcessIdentity): string | undefined {
  const staging = stagingPath(dirname(path), identity);
  if (Buffer.byteLength(staging) <= longestPath) return staging;
  const folder = `${dirname(path)}/${hiddenFolder}/`;
  const room = Math.min(longestPath - Buffer.byteLength(folder), 16);
  return room < 4 ? undefined : folder + randomBytes(8).toString('hex').slice(0, room);
}

/** Gives a socket its name, unless that is taken. */
function publish(from: string, to: string): void {
  try {
    linkSync(from, to);
    unlinkSync(from);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    // A file system without hard links. The name is reserved by its pid file, so nobody of ours comes in between.
    if (look(to) !== undefined) throw Object.assign(new Error(`${to} is there already`), { code: 'EEXIST' });
    renameSync(from, to);
  }
}

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
  readonly #waiting: Socket[] = [];
  #owner: ListenerOwner | undefined;
  #accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.unref();
    server.on('connection', (socket) => {
      this.#accepted++;
      if (this.#owner === undefined) this.#waiting.push(socket);
      else this.#owner.accept(socket);
    });
    // Nothing is heard here of a process without descriptors: libuv takes what connects, and closes it.
    server.on('error', (error) => this.#owner?.failed(error));
  }

  /** Listens at `path`. Throws the system's error, `EEXIST` where something is there. */
  static async at(path: string, mode: number, identity: ProcessIdentity): Promise<NodeListener> {
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
