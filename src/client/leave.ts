/** How a client leaves: drain, seal, account for what is unread, write the counts, give up or keep the name. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError, isIpcError } from '../errors.ts';
import type { Message } from '../message/message.ts';
import type { Connection, Protocol } from '../protocol/protocol.ts';
import { count, type Stats } from '../protocol/stats.ts';
import type { Inbox } from './inbox.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Sender } from './sender.ts';

/** What leaving needs of the client. */
export interface LeavePort {
  readonly id: string;
  readonly protocol: Protocol;
  readonly connection: Connection;
  readonly options: ResolvedClientOptions;
  readonly stats: Stats;
  readonly sender: Sender;
  readonly inbox: Inbox;
}

/** How it leaves. */
export interface LeaveOptions {
  readonly suspend?: boolean | undefined;
  /** Aborts when the outboxes have no more time than they had, whatever the client's own `drainTimeout` says. */
  readonly hurry: AbortSignal;
  /** Deadline of a suspension, epoch seconds. */
  readonly expiresAt?: number | undefined;
  readonly handler?: ((messages: Message[]) => void | Promise<void>) | undefined;
}

/** As many unread messages an error lists; more are only counted. */
const listed = 100;
/** Milliseconds more for what is on its way to a store. */
const longestOutcome = 3000;
const slice = { messages: 256, bytes: 16 * 1024 * 1024 };

/** Leaves, whatever goes wrong on the way; what went wrong is thrown at the end, by the code of the first. */
export async function leave(port: LeavePort, options: LeaveOptions): Promise<void> {
  const failures: Error[] = [];
  const step = async (work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  await step(() => drain(port, options.hurry));
  if (options.suspend === true) {
    await step(() => keep(port));
    await step(async () => port.connection.writeStats(port.stats));
    await step(async () => port.connection.suspend(options.expiresAt));
  } else {
    await step(async () => port.connection.seal());
    await step(() => account(port, options.handler));
    await step(async () => port.connection.writeStats(port.stats));
    await step(async () => port.connection.disconnect());
  }
  const [first, ...more] = failures;
  if (first === undefined) return;
  if (more.length === 0) throw first;
  throw together(port.id, failures);
}

/** One error of the bus for several, whose `cause` has them all. */
function together(client: string, failures: readonly Error[]): Error {
  const all = failures.map(({ message }) => message).join('; and ');
  const text = `client "${client}" left, and ${failures.length} things went wrong on the way: ${all}`;
  const cause = new AggregateError(failures, text);
  const first = failures.find((error) => isIpcError(error));
  return first === undefined ? cause : new IpcError(first.code, text, { client, details: first.details, cause });
}

async function drain({ id, sender, options, protocol }: LeavePort, hurry: AbortSignal): Promise<void> {
  const drained = sender.drain({ timeout: options.drainTimeout, signal: hurry });
  if (await drained.catch((error: unknown) => failUnless(hurry.aborted, error))) return;
  // A store that waits for no reader tells soon whether it has what is on its way: that is neither lost nor left then.
  const waitsForNobody = protocol.capabilities.capacity === Infinity;
  if (waitsForNobody) await Promise.race([sender.settle(), sleep(longestOutcome, undefined, { ref: false })]);
  if (sender.pending === 0) return;
  const left = sender.abandon((peer, messages) => undelivered(id, [peer], messages));
  const messages = [...left.values()].reduce((sum, number) => sum + number, 0);
  throw undelivered(id, [...left.keys()], messages);
}

function failUnless(isExpected: boolean, error: unknown): false {
  if (!isExpected) throw error;
  return false;
}

function undelivered(client: string, peers: readonly string[], messages: number): IpcError {
  const to = peers.map((peer) => `"${peer}"`).join(', ');
  return new IpcError(
    'IPCM_UNDELIVERED',
    `client "${client}" left with ${messages} messages for ${to} unsent: no room there before the deadline (drainTimeout)`,
    { client, details: { peers, messages } },
  );
}

/** Before a suspension: what was read and not handed out goes back into the store. */
async function keep(port: LeavePort): Promise<void> {
  if (port.options.ack) return;
  const buffered = port.inbox.take();
  if (buffered.length === 0) return;
  try {
    await port.connection.requeue(buffered.map((message) => port.sender.encode('suspend', message)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unreadError(
      port.id,
      `suspended, could not put back (${why}), and has lost`,
      'read them, or mend the store, first',
      buffered,
      buffered.length,
      cause,
    );
  }
}

/** Before a disconnect: everything unread goes to the handler, or is counted and named. */
async function account(port: LeavePort, handler: LeaveOptions['handler']): Promise<void> {
  if (port.options.ack) await giveBack(port);
  const unread: Message[] = [];
  let total = 0;
  for (;;) {
    await port.inbox.fill(slice);
    const batch = port.inbox.take(slice.messages);
    if (batch.length === 0) break;
    const messages: Message[] = [];
    for (const message of batch) {
      if (message.isTerminate || handler !== undefined) count(port.stats.read, message.from, 1);
      if (!message.isTerminate) messages.push(message);
    }
    if (messages.length > 0) await handler?.(messages);
    if (port.options.ack) await port.inbox.withReceipts(batch, (receipts) => port.connection.acknowledge(receipts));
    total += messages.length;
    unread.push(...messages.slice(0, listed - unread.length));
  }
  if (total === 0 || handler !== undefined) return;
  throw unreadError(port.id, 'disconnected with', 'read them first, or give disconnect a handler', unread, total);
}

function unreadError(
  client: string,
  left: string,
  remedy: string,
  unread: readonly Message[],
  total: number,
  cause?: unknown,
): IpcError {
  const names = unread.slice(0, 5).map(({ id, from }) => `${id} from "${from}"`);
  return new IpcError(
    'IPCM_UNREAD_MESSAGES',
    `client "${client}" ${left} ${total} unread messages: ${names.join(', ')}${total > 5 ? ', …' : ''}; ${remedy}`,
    { client, details: { total, messages: unread.slice(0, listed) }, cause },
  );
}

/** Messages handed out and never acknowledged count as unread: they are put back and read again by `account`. */
async function giveBack(port: LeavePort): Promise<void> {
  const buffered = new Set(port.inbox.take());
  for (const message of port.inbox.outstanding()) {
    if (!buffered.has(message)) count(port.stats.read, message.from, -1);
  }
  await port.inbox.withReceipts(port.inbox.outstanding(), (receipts) => port.connection.release(receipts));
}
