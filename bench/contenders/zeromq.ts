/** Baseline: ZeroMQ 6, a pair of Dealer sockets over ipc://. Its `send` takes one message at a time. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dealer } from 'zeromq';
import { envelope, type Contender, type Envelope, type Link } from './contender.ts';

function linkOver(socket: Dealer, from: string, to: string): Link {
  let tail = Promise.resolve();
  return {
    send: (content) => {
      const text = JSON.stringify(envelope(from, to, content));
      tail = tail.then(() => socket.send(text));
      return tail;
    },
    onMessage: (handler) => {
      void (async () => {
        for await (const [bytes] of socket) {
          if (bytes !== undefined) handler((JSON.parse(bytes.toString()) as Envelope).content);
        }
      })();
    },
  };
}

export const zeromq: Contender = {
  name: 'zeromq',
  base: tmpdir(),
  unavailable: () =>
    import('zeromq').then(
      () => undefined,
      (error: unknown) => `its prebuilt binary does not load here: ${String(error)}`,
    ),
  open: async (scratch) => {
    const { Dealer } = await import('zeromq');
    const socket = new Dealer({ linger: 0 });
    const address = `ipc://${join(scratch, 'zeromq.sock')}`;
    await socket.bind(address);
    return {
      address,
      link: (peer) => Promise.resolve(linkOver(socket, 'near', peer)),
      close: () => {
        socket.close();
        return Promise.resolve();
      },
    };
  },
  join: async (address, peer) => {
    const { Dealer } = await import('zeromq');
    const socket = new Dealer({ linger: 0 });
    socket.connect(address);
    return linkOver(socket, peer, 'near');
  },
};
