/**
 * Baselines: a Unix socket and one `write` per message. `net`, which all ratios refer to, writes lines of JSON; `net framed`
 * writes a length before each, as the protocol ConnectionUnix does, which matters where messages are large.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envelope, type Contender, type Content, type Envelope, type Link } from './contender.ts';

/** How one text is told from the next. */
interface Framing {
  read(socket: Socket, take: (text: string) => void): void;
  frame(text: string): string | Buffer;
}

const lines: Framing = {
  read(socket, take) {
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
  },
  frame: (text) => `${text}\n`,
};

const lengths: Framing = {
  read(socket, take) {
    let chunks: Buffer[] = [];
    let size = 0;
    let wanted = 4;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size < wanted) return;
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      let start = 0;
      for (wanted = 4; bytes.length - start >= wanted; wanted = 4) {
        const length = bytes.readUInt32BE(start);
        if (bytes.length - start < (wanted = 4 + length)) break;
        take(bytes.toString('utf8', start + 4, start + wanted));
        start += wanted;
      }
      chunks = start === bytes.length ? [] : [bytes.subarray(start)];
      size = bytes.length - start;
    });
  },
  frame: (text) => {
    const length = Buffer.byteLength(text);
    const bytes = Buffer.allocUnsafe(4 + length);
    bytes.writeUInt32BE(length);
    bytes.write(text, 4);
    return bytes;
  },
};

function writer(socket: Socket, framing: Framing, from: string, to: string): Link['send'] {
  let drained: Promise<void> | undefined;
  return (content) => {
    if (socket.write(framing.frame(JSON.stringify(envelope(from, to, content))))) return undefined;
    drained ??= once(socket, 'drain').then(() => (drained = undefined));
    return drained;
  };
}

/** The end of a peer that has said its name. */
interface Joined {
  readonly link: Link;
}

const over = (framing: Framing): Pick<Contender, 'base' | 'unavailable' | 'open' | 'join'> => ({
  base: tmpdir(),
  unavailable: () => Promise.resolve(undefined),
  open: async (scratch) => {
    const joined = new Map<string, Joined>();
    const server = createServer((socket) => {
      let handler: (content: Content) => void = () => undefined;
      let peer: string | undefined;
      framing.read(socket, (line) => {
        if (peer !== undefined) return handler((JSON.parse(line) as Envelope).content);
        peer = line;
        joined.set(peer, {
          link: { send: writer(socket, framing, 'near', peer), onMessage: (wanted) => (handler = wanted) },
        });
        socket.write(framing.frame('"welcome"'));
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
      framing.read(socket, (line) => {
        if (welcomed) return handler((JSON.parse(line) as Envelope).content);
        welcomed = true;
        resolve();
      });
    });
    socket.write(framing.frame(peer));
    await welcome;
    return { send: writer(socket, framing, peer, 'near'), onMessage: (wanted) => (handler = wanted) };
  },
});

export const net: Contender = { name: 'net', manyPeers: true, ...over(lines) };

export const framed: Contender = {
  name: 'net framed',
  only: ['one-way', 'one-way-64k', 'one-way-1m'],
  ...over(lengths),
};
