/**
 * What a monitor may listen to, through `node:diagnostics_channel`; free while nobody does.
 *
 * - `tracing:ipc-manager:send:*` — a tracing channel around each send: `{client, peer, message}`
 * - `ipc-manager:receive` — `{client, message}` for each message handed to its reader
 * - `ipc-manager:reap` — `{client, peer, pid, lost}` for each dead peer reaped
 */
import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import type { Message } from '../message/message.ts';

/** What a subscriber to the sends gets; the same object for start, end and error. */
export interface SendTrace {
  readonly client: string;
  readonly peer: string;
  readonly message: Message;
}

/** Around each send. */
export const sending: TracingChannel<string, SendTrace> = tracingChannel<string, SendTrace>('ipc-manager:send');
/** Each message handed to its reader. */
export const receiving: Channel<string, unknown> = channel('ipc-manager:receive');
/** Each dead peer reaped. */
export const reaping: Channel<string, unknown> = channel('ipc-manager:reap');
