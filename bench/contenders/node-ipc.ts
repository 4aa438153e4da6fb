/** Baseline: node-ipc over a Unix socket, settings as they come but for its log; `emit` tells when to wait for a drain. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type nodeIpcModule from 'node-ipc';
import type { Client } from 'node-ipc';
import { envelope, type Contender, type Content, type Envelope, type Link } from './contender.ts';

async function load(): Promise<typeof nodeIpcModule> {
  const { default: ipc } = await import('node-ipc');
  ipc.config.silent = true;
  return ipc;
}

function sender(emit: (message: Envelope) => boolean, socket: Socket, from: string, to: string): Link['send'] {
  let drained: Promise<void> | undefined;
  return (content) => {
    if (emit(envelope(from, to, content))) return undefined;
    drained ??= once(socket, 'drain').then(() => (drained = undefined));
    return drained;
  };
}

export const nodeIpc: Contender = {
  name: 'node-ipc',
  base: tmpdir(),
  unavailable: () => load().then(() => undefined, String),
  open: async (scratch) => {
    const ipc = await load();
    const sockets = new Map<string, Socket>();
    const handlers = new Map<string, (content: Content) => void>();
    ipc.config.socketRoot = `${scratch}/`;
    const address = join(scratch, 'node-ipc.sock');
    await new Promise<void>((resolve) => {
      ipc.serve(address, resolve);
      ipc.server.on('hello', (peer: string, socket: Socket) => {
        sockets.set(peer, socket);
        ipc.server.emit(socket, 'welcome', peer);
      });
      ipc.server.on('message', (message: Envelope) => handlers.get(message.from)?.(message.content));
      ipc.server.start();
    });
    return {
      address,
      link: (peer) => {
        const socket = sockets.get(peer);
        if (socket === undefined) throw new Error(`${peer} has not joined`);
        const emit = (message: Envelope): boolean => ipc.server.emit(socket, 'message', message);
        const onMessage: Link['onMessage'] = (handler) => void handlers.set(peer, handler);
        return Promise.resolve({ send: sender(emit, socket, 'near', peer), onMessage });
      },
      close: () => {
        ipc.server.stop();
        return Promise.resolve();
      },
    };
  },
  join: async (address, peer) => {
    const ipc = await load();
    ipc.config.stopRetrying = true;
    const client = await new Promise<Client>((resolve, reject) => {
      ipc.connectTo('near', address, () => {
        const near = ipc.of['near'];
        if (near === undefined) return reject(new Error('node-ipc has no client'));
        near.on('error', (error: Error) => reject(error));
        near.on('connect', () => near.emit('hello', peer));
        near.on('welcome', () => resolve(near));
      });
    });
    const emit = (message: Envelope): boolean => client.emit('message', message);
    return {
      send: sender(emit, client.socket, peer, 'near'),
      onMessage: (handler) => client.on('message', (message: Envelope) => handler(message.content)),
    };
  },
};
