/** Which bus is meant, and the ways into it: as a client under a name, or from outside as an open store. */
import { text as readAll } from 'node:stream/consumers';
import {
  formatInfo,
  ipcmConnect,
  ipcmDefaultProtocolList,
  ipcmDefaultSerializer,
  ipcmReconnect,
  isIpcError,
  parseInfo,
  resolveProtocol,
  resolveSerializer,
  type Client,
  type ConnectOptions,
  type Protocol,
  type Store,
} from '../index.ts';
import { access } from './access.ts';
import { reportError, usageError } from './exit.ts';
import type { GlobalOptions } from './options.ts';
import { say } from './output.ts';

/** Largest message that the command takes, as the library's own default. */
const maxMessageBytes = 64 * 1024 * 1024;

/**
 * The info of the bus: the last argument, or `--info`, or IPCM_INFO; or put together from `--route`. `--protocol` and
 * `--serializer` replace what the info says, for a module that lies elsewhere here.
 */
export async function infoOf(options: GlobalOptions, argument: string | undefined): Promise<string> {
  if (argument !== undefined && options.info !== undefined && argument !== options.info) {
    throw usageError('the bus is given twice, as an argument and as --info');
  }
  const given = argument ?? options.info ?? (options.route === undefined ? process.env['IPCM_INFO'] : undefined);
  if (given === undefined || given === '') {
    if (options.route === undefined) {
      throw usageError(
        'which bus? Give the line that "ipcm spawn" printed as the last argument or as --info, or set IPCM_INFO',
      );
    }
    return infoOfRoute(options, options.route);
  }
  const [protocol, serializer, route] = parseInfo('ipcm', given);
  return formatInfo([options.protocol ?? protocol, options.serializer ?? serializer, options.route ?? route]);
}

async function infoOfRoute(options: GlobalOptions, route: string): Promise<string> {
  const protocol = await resolveProtocol(options.protocol ?? ipcmDefaultProtocolList()[0] ?? 'MessageFiles');
  const { spec } = await resolveSerializer(options.serializer ?? ipcmDefaultSerializer());
  return formatInfo([options.protocol ?? protocol.className, spec, route]);
}

/** Opens the store without becoming a client; the caller closes it. */
export async function openStore(info: string): Promise<{ readonly protocol: Protocol; readonly store: Store }> {
  const [protocolName, serializerSpec, route] = parseInfo('ipcm', info);
  const protocol = await resolveProtocol(protocolName);
  const serializer = await resolveSerializer(serializerSpec);
  const store = await protocol.open(route, {
    serializer,
    limits: { maxMessageBytes },
    protocolOptions: {},
    ...access(),
  });
  return { protocol, store };
}

/** Runs `work` on the open store, and closes it whatever happens. */
export async function withStore<T>(info: string, work: (store: Store, protocol: Protocol) => Promise<T>): Promise<T> {
  const { protocol, store } = await openStore(info);
  try {
    return await work(store, protocol);
  } finally {
    await store.close();
  }
}

/** A client who will read: comes back under a name that somebody left, with what waits there, or takes a free one. */
export async function enterToRead(name: string, info: string, options: ConnectOptions): Promise<Client> {
  try {
    return await ipcmReconnect(name, info, { ...access(), ...options });
  } catch (error) {
    // Nobody left that name, or clients of this protocol cannot leave one.
    if (!isIpcError(error, 'IPCM_NO_SUCH_CLIENT') && !isIpcError(error, 'IPCM_NOT_SUPPORTED')) throw error;
    return ipcmConnect(name, info, { ...access(), ...options });
  }
}

/** Connects only to send, does that, and leaves; a name that was suspended before is left suspended, with its messages. */
export async function withSender<T>(
  name: string | undefined,
  info: string,
  json: boolean,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { client, cameBack } = await enterToSend(name ?? `ipcm-${process.pid}`, info);
  listenIn(client, json);
  let result: T;
  try {
    result = await work(client);
  } catch (error) {
    await leave(client, cameBack).catch((further: unknown) => reportError(further, json));
    throw error;
  }
  await leave(client, cameBack);
  return result;
}

async function enterToSend(name: string, info: string): Promise<{ client: Client; cameBack: boolean }> {
  try {
    return { client: await ipcmConnect(name, info, access()), cameBack: false };
  } catch (error) {
    if (!isIpcError(error, 'IPCM_NAME_TAKEN')) throw error;
    try {
      return { client: await ipcmReconnect(name, info, access()), cameBack: true };
    } catch {
      // Not suspended but in use: the first error says so.
      throw error;
    }
  }
}

async function leave(client: Client, cameBack: boolean): Promise<void> {
  if (cameBack) return client.suspend();
  await client.disconnect((messages) => {
    say(
      `${messages.length} messages for "${client.id}" came meanwhile and are dropped; "ipcm recv --suspend" makes a name that keeps them`,
    );
  });
}

/** Tells on stderr what the client meets beside its own calls: what was no message, and who had died. */
export function listenIn(client: Client, json: boolean): void {
  client.on('rejected', (error) => reportError(error, json));
  client.on('reaped', ({ name, pid, lost }) => {
    if (!json) say(`"${name}" (pid ${pid ?? 'unknown'}) had died, ${lost} messages unread`);
  });
}

/** All of stdin, for content given as `-`. */
export async function readStdin(): Promise<string> {
  if (process.stdin.isTTY) say('reading the content from the terminal; Ctrl-D ends it');
  return readAll(process.stdin);
}
