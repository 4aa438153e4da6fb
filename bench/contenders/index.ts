/** Everybody who takes part, in the order of the tables. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { bus } from './bus.ts';
import { childProcess } from './child-process.ts';
import type { Contender } from './contender.ts';
import { framed, net } from './net.ts';
import { nodeIpc } from './node-ipc.ts';
import { zeromq } from './zeromq.ts';

const fileSystems = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlay'],
]);

/** What a directory lies on; undefined where one cannot write to it. */
function fileSystemOf(directory: string): string | undefined {
  try {
    accessSync(directory, constants.W_OK);
    const { type } = statfsSync(directory);
    return fileSystems.get(type) ?? `type 0x${type.toString(16)}`;
  } catch {
    return undefined;
  }
}

/** Where stores go: in memory for the headline, and on a disk for the second line. */
function bases(): { readonly memory: string; readonly disk: string } {
  const memory = fileSystemOf('/dev/shm') === 'tmpfs' ? '/dev/shm' : tmpdir();
  const disk = [tmpdir(), '/var/tmp'].find((directory) => fileSystemOf(directory) !== 'tmpfs');
  return { memory, disk: disk ?? tmpdir() };
}

/** Protocols whose store is a directory or a file, then those with a server, as they will be named. */
const local = ['MessageFiles', 'AtomicPipe', 'UnixSocket', 'ConnectionUnix', 'SQLite'];
/** Those that can ask on for some microseconds before they go to sleep. */
const spinning = ['AtomicPipe', 'UnixSocket', 'ConnectionUnix'];
/** A datagram is no larger than the send buffer that Linux gives, 208 KiB unless changed. */
const limits: Readonly<Record<string, { readonly largest: number }>> = { UnixSocket: { largest: 200_000 } };
const servers = ['PostgreSQL', 'MariaDB', 'MySQL'];

function protocols(): Contender[] {
  const { memory, disk } = bases();
  const store = { base: memory };
  return [
    bus({ name: 'LocalMemory', protocol: 'LocalMemory', serializer: 'JSON', store }),
    ...local.map((protocol) => bus({ name: protocol, protocol, serializer: 'JSON', store, ...limits[protocol] })),
    ...spinning.map((protocol) =>
      bus({
        name: `${protocol} spin`,
        protocol,
        serializer: 'JSON',
        store,
        variant: true,
        protocolOptions: { spin: 50 },
        only: ['ping-pong', 'ping-pong-pinned', 'requests', 'requests-pinned'],
      }),
    ),
    ...servers.map((protocol) =>
      bus({ name: protocol, protocol, serializer: 'JSON', store: { server: `IPCM_BENCH_${protocol.toUpperCase()}` } }),
    ),
    bus({ name: 'MessageFiles zstd', protocol: 'MessageFiles', serializer: 'JSON::Zstd', store, variant: true }),
    bus({
      name: `MessageFiles ${fileSystemOf(disk) ?? 'disk'}`,
      protocol: 'MessageFiles',
      serializer: 'JSON',
      store: { base: disk },
      variant: true,
    }),
  ];
}

/** The baseline that all ratios refer to. */
export const reference: Contender = net;

export const contenders: readonly Contender[] = [net, framed, childProcess, nodeIpc, zeromq, ...protocols()];

export function contenderNamed(name: string): Contender {
  const found = contenders.find((contender) => contender.name === name);
  if (found === undefined) throw new Error(`there is no contender ${name}`);
  return found;
}
