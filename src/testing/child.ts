/**
 * A program that takes part in a bus as it is told: requests come in on stdin, answers and events go out on stdout, one line
 * of JSON each. It ends when its stdin does, so none outlives the test run.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ipcmConnect, ipcmReconnect, ipcmSpawn, type ConnectOptions } from '../bus.ts';
import type { Client } from '../client/client.ts';
import { isIpcError, systemCode } from '../errors.ts';
import { resolveProtocol } from '../protocols/resolve.ts';
import { ipcmService } from '../service/start.ts';
import type { Answer, ChildEvent, Commands, NumberedBatch, Reported, Request } from './child-commands.ts';
import { numbered, receiptOf } from './numbered.ts';
import { helper } from './services/helper.ts';
import type { Message } from '../message/message.ts';

type Handlers = { readonly [K in keyof Commands]: (args: Commands[K][0]) => Promise<Commands[K][1]> };

let client: Client | undefined;

/** Straight to the descriptor: an answer must be out before a `process.exit` that follows it. */
function say(line: Answer | ChildEvent): void {
  let rest = Buffer.from(`${JSON.stringify(line)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN') throw error;
    }
  }
}

function own(): Client {
  if (client === undefined) throw new Error('not connected');
  return client;
}

async function read(count: number): Promise<Message[]> {
  const messages: Message[] = [];
  if (count === 0) return messages;
  for await (const message of own().messages({ terminate: true })) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

const report = ({ from, broadcast, content }: Message): Reported => ({ from, broadcast, content });

function sendAll({ to, count, sizes }: NumberedBatch): Promise<void>[] {
  return Array.from({ length: count }, (_, n) => own().sendMessage(to, numbered(n, sizes[n % sizes.length] ?? 0)));
}

async function listen(obey: boolean): Promise<void> {
  for await (const message of own().messages({ terminate: true })) {
    if (!message.isTerminate) continue;
    say({ event: 'terminated' });
    if (!obey) continue;
    await own().disconnect();
    process.exit(0);
  }
}

async function echo(): Promise<void> {
  for await (const { from, content } of own().messages()) await own().sendMessage(from, content);
}

/** Whatever goes wrong beside an answer ends the process, so that the test learns of it. */
function detached(work: Promise<void>): void {
  work.catch((error: unknown) =>
    setImmediate(() => {
      throw error;
    }),
  );
}

const handlers: Handlers = {
  async connect({ name, info, mode, protocol, options }) {
    const resolved = protocol === undefined ? {} : { protocol: await resolveProtocol(protocol) };
    const connect = mode === 'connect' ? ipcmConnect : ipcmReconnect;
    client = await connect(name, info, { ...(options as ConnectOptions), ...resolved });
    return null;
  },
  async spawn({ options }) {
    const { info, route } = await ipcmSpawn(options);
    return { info, route };
  },
  async cleave({ spawn }) {
    const bus = await ipcmSpawn(spawn);
    const { pid } = await bus.cleave();
    return { info: bus.info, route: bus.route, keeper: pid };
  },
  async service({ spawn }) {
    const handle = await ipcmService('helper', helper, { spawn });
    return { pid: handle.childPid ?? 0, route: handle.bus?.route ?? '' };
  },
  async send({ to, content }) {
    await own().sendMessage(to, content);
    return null;
  },
  async sendNumbered(batch) {
    const outcomes = await Promise.allSettled(sendAll(batch));
    return { refused: outcomes.filter(({ status }) => status === 'rejected').length };
  },
  async sendUntilGone({ to }) {
    for (let sent = 0; ; sent++) {
      try {
        await own().sendMessage(to, numbered(sent, 100));
      } catch (error) {
        return { sent, code: isIpcError(error) ? error.code : String(error) };
      }
      // What answers at once would keep the process from whatever else it has to do.
      if (sent % 16 === 0) await new Promise(setImmediate);
    }
  },
  async sendAndExit(batch) {
    await Promise.all(sendAll(batch));
    process.exit(0);
  },
  async receive({ count }) {
    return (await read(count)).map(report);
  },
  async receiveNumbered({ count }) {
    return (await read(count)).map(({ from, content }) => receiptOf(from, content));
  },
  async receiveAndAcknowledge({ count, acknowledge }) {
    const messages = await read(count);
    await own().acknowledge(...messages.slice(0, acknowledge));
    return messages.map(report);
  },
  async echo() {
    detached(echo());
    return null;
  },
  async listen({ terminate }) {
    detached(listen(terminate === 'obey'));
    return null;
  },
  async block({ milliseconds }) {
    say({ event: 'blocking' });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    return null;
  },
  async trapSignal({ signal }) {
    process.on(signal, () => say({ event: 'signal', signal }));
    return null;
  },
  async suspend(options) {
    await own().suspend(options);
    return null;
  },
  async disconnect() {
    await own().disconnect();
    return null;
  },
  async peers() {
    return own().peers();
  },
  async letGo({ waiting }) {
    if (waiting) detached(echo());
    // After this answer nothing of ours holds the process any more.
    setImmediate(() => input.close());
    setImmediate(() => process.stdin.unref());
    return null;
  },
  async exit({ code, busy = false }) {
    if (busy) {
      for (const sent of sendAll({ to: own().id, count: 20, sizes: [1000] })) detached(sent);
      await new Promise(setImmediate);
    }
    process.exit(code);
  },
  async fail() {
    setImmediate(() => {
      throw new Error('an error that nobody catches');
    });
    return new Promise<never>(() => undefined);
  },
};

async function obey({ id, command, args }: Request): Promise<void> {
  try {
    // The types of the two halves are those of one entry of `Commands`; TypeScript cannot follow that through an index.
    const handler = handlers[command] as (args: unknown) => Promise<unknown>;
    say({ id, result: await handler(args) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say({ id, error: { code: isIpcError(error) ? error.code : undefined, message } });
  }
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => void obey(JSON.parse(line) as Request));
process.stdin.on('end', () => process.exit(0));
say({ event: 'ready', pid: process.pid });
