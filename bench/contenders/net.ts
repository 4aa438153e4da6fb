/** Baseline, and what all ratios refer to: a Unix socket, one `write` of a line of JSON per message. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envelope, type Contender, type Content, type Envelope, type Link } from './contender.ts';

function readLines(socket: Socket, take: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const text = rest + chunk;
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      take(text.slice(start, end));
      start = end + 1;
    }
    rest = text.slice(start);
  });
}

function writer(socket: Socket, from: string, to: string): Link['send'] {
  let drained: Promise<void> | undefined;
  return (content) => {
    if (socket.write(`${JSON.stringify(envelope(from, to, content))}\n`)) return undefined;
    drained ??= once(socket, 'drain').then(() => (drained = undefined));
    return drained;
  };
}

/** The end of a peer that has said its name. */
interface Joined {
  readonly link: Link;
}

export const net: Contender = {
  name: 'net',
  base: tmpdir(),
  manyPeers: true,
  unavailable: () => Promise.resolve(undefined),
  open: async (scratch) => {
    const joined = new Map<string, Joined>();
    const server = createServer((socket) => {
      let handler: (content: Content) => void = () => undefined;
      let peer: string | undefined;
      readLines(socket, (line) => {
        if (peer !== undefined) return handler((JSON.parse(line) as Envelope).content);
        peer = line;
        joined.set(peer, {
          link: { send: writer(socket, 'near', peer), onMessage: (wanted) => (handler = wanted) },
        });
        socket.write('"welcome"\n');
      });
    });
    const address = join(scratch, 'net.sock');
    await once(server.listen(address), 'listening');
    return {
      address,
      link: (peer) => {
        const found = joined.get(peer);
        if (found === undefined) throw new Error(`${peer} has not joined`);
        return Promise.resolve(found.link);
      },
      broadcast: async (content, peers) => {
        if (joined.size !== peers) throw new Error(`${joined.size} peers have joined, not ${peers}`);
        for (const wait of [...joined.values()].map(({ link }) => link.send(content))) await wait;
      },
      close: () => new Promise((resolve) => server.close(() => resolve())),
    };
  },
  join: async (address, peer) => {
    const socket = connect(address);
    let handler: (content: Content) => void = () => undefined;
    const welcome = new Promise<void>((resolve) => {
      let welcomed = false;
      readLines(socket, (line) => {
        if (welcomed) return handler((JSON.parse(line) as Envelope).content);
        welcomed = true;
        resolve();
      });
    });
    socket.write(`${peer}\n`);
    await welcome;
    return { send: writer(socket, peer, 'near'), onMessage: (wanted) => (handler = wanted) };
  },
};
