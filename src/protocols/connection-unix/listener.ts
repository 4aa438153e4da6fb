/**
 * The listening socket of a client.
 *
 * libuv removes the path that a server was bound to when the server closes, whoever has made what is there by then. So it is
 * bound to a path of its own inside `.ipcm`, which is private whatever the mode of the route, and then linked to the
 * client's name: that fails where something is there, and closing removes nothing that is not ours.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { systemCode } from '../../errors.ts';
import { look, removeFile } from '../directory/files.ts';
import { hiddenFolder } from '../directory/owner.ts';
import { turns } from './turns.ts';

/** Longest path of a socket, in bytes: 108 on Linux and 104 elsewhere, with a zero byte at the end. */
export const longestPath = 103;

/** The kernel cuts it to net.core.somaxconn. */
const backlog = 511;

function privatePath(path: string): string | undefined {
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
export class Listener {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #take: ((socket: Socket) => void) | undefined;
  #accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.unref();
    server.on('connection', (socket) => {
      this.#accepted++;
      if (this.#take === undefined) this.#waiting.push(socket);
      else this.#take(socket);
    });
    // EMFILE and the like: whoever connects waits in the backlog, and libuv tries again.
    server.on('error', () => undefined);
  }

  /** Listens at `path`. Throws the system's error, `EEXIST` where something is there. */
  static async at(path: string, mode: number): Promise<Listener> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const aside = privatePath(path);
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
    return new Listener(server);
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Hands out connections from now on, first those that have come already. */
  start(take: (socket: Socket) => void): void {
    this.#take = take;
    for (const socket of this.#waiting.splice(0)) take(socket);
  }

  /** Takes in everybody who connected while the entry was there, then closes. */
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

/** Whether an entry is a socket that can be connected to. */
export function isListening(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
  } catch {
    // A name too long for the file system, or a route that is none: nobody is there.
    return false;
  }
}
