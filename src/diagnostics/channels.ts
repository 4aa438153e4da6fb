/**
 * What a monitor may listen to, through `node:diagnostics_channel`; free while nobody does.
 *
 * - `tracing:ipc-manager:send:*` — a tracing channel around each send: `{client, peer, message}`
 * - `tracing:ipc-manager:request:*` — around each request until its answer: `{client, peer, id, request, carried}`
 * - `tracing:ipc-manager:handle:*` — around each call of `handleRequest`: `{service, from, id, request, carried}`
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

/** What a subscriber to the requests gets. */
export interface RequestTrace {
  readonly client: string;
  readonly peer: string;
  readonly id: string;
  readonly request: unknown;
  /**
   * What a subscriber to `start` puts in here goes with the request, for the subscribers on its other side: the
   * `traceparent` of https://www.w3.org/TR/trace-context/, say.
   */
  readonly carried: Record<string, string>;
}

/** What a subscriber to the handling of requests gets. */
export interface HandleTrace {
  readonly service: string;
  readonly from: string;
  readonly id: string;
  readonly request: unknown;
  /** What came with the request. */
  readonly carried: Readonly<Record<string, string>>;
}

/** Around each send. */
export const sending: TracingChannel<string, SendTrace> = tracingChannel<string, SendTrace>('ipc-manager:send');
/** Around each request, until its answer or whatever else becomes of it. */
export const requesting: TracingChannel<string, RequestTrace> = tracingChannel<string, RequestTrace>(
  'ipc-manager:request',
);
/** Around each call of a handler; what it is bound to by `bindStore` the handler runs in. */
export const handling: TracingChannel<string, HandleTrace> = tracingChannel<string, HandleTrace>('ipc-manager:handle');
/** Each message handed to its reader. */
export const receiving: Channel<string, unknown> = channel('ipc-manager:receive');
/** Each dead peer reaped. */
export const reaping: Channel<string, unknown> = channel('ipc-manager:reap');
