/** What a service is made of, as its author writes it. */
import type { Client } from '../client/client.ts';
import type { Ending } from '../launch/launched.ts';
import type { Message } from '../message/message.ts';
import type { ServiceChildren } from './children.ts';
import type { ServiceCounts } from './info.ts';
import type { ServicePeer } from './peer.ts';
import type { Requests } from './requests.ts';
import type { StandardSchema } from './schema.ts';

/** Peers that came and went since the last time. */
export interface PeerDelta {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** A child process that ended, and was no worker. */
export interface EndedChild extends Ending {
  readonly pid: number;
}

/** An answer for which nobody waits: the request was sent by an earlier life of the name, or given up. */
export interface StrayResponse {
  readonly id: string;
  readonly from: string;
  readonly response: unknown;
  readonly error: string | undefined;
}

/** What happened, for `onAll`: one of these at a time. */
export interface Activity {
  readonly message?: Message;
  readonly interval?: true;
  readonly peerDelta?: PeerDelta;
  readonly signal?: NodeJS.Signals;
  readonly endedChild?: EndedChild;
}

/** A running service, as its callbacks get it. */
export interface Service<Params = unknown> {
  /** Its name on the bus. */
  readonly name: string;
  /** Info of the bus. */
  readonly ipcmInfo: string;
  /** What whoever started it gave it. */
  readonly params: Params;
  /** Its client, to send messages and to look around; reading from it is the service's own business. */
  readonly client: Client;
  readonly pid: number;
  /** When it started, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** `starting`, `running`, `ending`, then `ended`. */
  readonly state: 'starting' | 'running' | 'ending' | 'ended';
  /** Counts since the start. */
  readonly counts: ServiceCounts;
  /** Its workers and the services that it started. */
  readonly children: ServiceChildren;
  /** The requests that this service has sent. */
  readonly requests: Requests;
  /** Another service, to send requests to. */
  peer<Request = unknown, Response = unknown>(name: string): ServicePeer<Request, Response>;
  /** Answers a request whose handler called `context.later()`. Rejects with `IPCM_INVALID_OPTION` for an unknown id. */
  sendResponse(id: string, response: unknown): Promise<void>;
  /** The same with an error: its caller gets `IPCM_REQUEST_FAILED`, and its text only with `exposeErrorDetails`. */
  sendError(id: string, error: unknown): Promise<void>;
  /** Adds a callback behind those of the same name, or before them. */
  addCallback<Name extends CallbackName>(
    name: Name,
    callback: ServiceCallbacks<unknown, unknown, Params>[Name],
    options?: { readonly first?: boolean | undefined },
  ): void;
  /** Removes a callback that was added, or all of a name; false where it was not there. */
  removeCallback<Name extends CallbackName>(
    name: Name,
    callback?: ServiceCallbacks<unknown, unknown, Params>[Name],
  ): boolean;
  /** Calls `callback` on a signal from now on; undefined lets it end the service again, or do what it does by itself. */
  onSignal(signal: NodeJS.Signals, callback: SignalCallbacks<Params>[NodeJS.Signals]): void;
  /** Ends the service; with a reason, as a failure. Returns at once, and may be called again. */
  end(reason?: unknown): void;
}

/** What the handler of a request can know and do. */
export interface RequestContext<Params = unknown> {
  /** The service. */
  readonly service: Service<Params>;
  /** The message that brought the request. */
  readonly message: Message;
  /** Id of the request, for `service.sendResponse`. */
  readonly id: string;
  /** Name of the client that sent the request. */
  readonly from: string;
  /** When its sender stops waiting, in milliseconds since the epoch; undefined if it does not. */
  readonly deadline: number | undefined;
  /** Aborts when the sender takes the request back, when its deadline passes, and when the service gives up waiting for it. */
  readonly signal: AbortSignal;
  /** Says that the answer will be given by `service.sendResponse`; what the handler returns is then nothing. */
  later(): undefined;
}

/** Name of a callback of which there may be several. */
export type CallbackName = Exclude<keyof ServiceCallbacks, 'handleRequest'>;

/** The callbacks of a service. Each may be asynchronous; `this` is the definition. */
export interface ServiceCallbacks<Request = unknown, Response = unknown, Params = unknown> {
  /**
   * Answers a request: what it returns, now or later, is the answer, and what it throws is an error for the caller alone.
   * After `context.later()` the return value is nothing, and `service.sendResponse(id, …)` is to follow.
   * Several requests are handled at the same time if this is asynchronous.
   */
  handleRequest(request: Request, context: RequestContext<Params>): Response | Promise<Response>;
  /** An answer for which nobody waits. */
  handleResponse(response: StrayResponse, service: Service<Params>): void | Promise<void>;
  /** Anything that happened, before the callback that it is for. */
  onAll(activity: Activity, service: Service<Params>): void | Promise<void>;
  /** Before anything that has come is dealt with; the service is ready when this is done. */
  onStart(service: Service<Params>): void | Promise<void>;
  /** Every `interval` milliseconds, never twice at the same time. */
  onInterval(service: Service<Params>): void | Promise<void>;
  /** Peers have come or gone. */
  onPeerDelta(delta: PeerDelta, service: Service<Params>): void | Promise<void>;
  /** A child process of this one has ended which is no worker. */
  onPid(child: EndedChild, service: Service<Params>): void | Promise<void>;
  /** A message that is no request, answer or terminate message. One is dealt with after the other. */
  onGeneralMessage(message: Message, service: Service<Params>): void | Promise<void>;
  /** A message for which there is no callback, and a general one that was left: at the end, or for want of memory. */
  onUnhandled(message: Message, service: Service<Params>): void | Promise<void>;
  /** Something went wrong that ends nothing: a request's handler threw, or, with `interceptErrors`, a callback. */
  onError(error: unknown, service: Service<Params>): void | Promise<void>;
  /** At the end, however it came about except by SIGKILL and `process.exit`; peers can still be sent to. */
  onCleanup(service: Service<Params>): void | Promise<void>;
  /** Asked after everything that happened: true ends the service. */
  shouldEnd(service: Service<Params>): boolean | Promise<boolean>;
}

/** What to do on signals. One that is named here does not end the service unless the callback does. */
export type SignalCallbacks<Params = unknown> = {
  readonly [Name in NodeJS.Signals]?: (signal: NodeJS.Signals, service: Service<Params>) => void | Promise<void>;
};

/** Settings of a service, which whoever starts it may override. */
export interface ServiceSettings {
  /** Milliseconds between calls of `onInterval`. Default 200. */
  readonly interval?: number | undefined;
  /** The service ends when one of these processes does. */
  readonly watchPids?: readonly number[] | undefined;
  /** A callback that throws is reported and does not end the service. Default false. Handlers of requests never end it. */
  readonly interceptErrors?: boolean | undefined;
  /** Callers get the text of an error that a handler threw; else "Internal service error". Default false. */
  readonly exposeErrorDetails?: boolean | undefined;
  /** Requests in hand at the same time; more wait, a few of them read already. General messages do not count. Default 256. */
  readonly concurrency?: number | undefined;
  /** Milliseconds that the end waits for requests in hand, and for general messages that have come. Default 5000. */
  readonly drainTimeout?: number | undefined;
  /** Milliseconds between SIGTERM and SIGKILL for workers and nested services at the end. Default 5000. */
  readonly grace?: number | undefined;
}

/** A service: callbacks and settings. */
export interface ServiceDefinition<Request = unknown, Response = unknown, Params = unknown>
  extends Partial<ServiceCallbacks<Request, Response, Params>>, ServiceSettings {
  readonly onSig?: SignalCallbacks<Params> | undefined;
  /** Requests are checked, and handlers get what the schema makes of them. */
  readonly requestSchema?: StandardSchema<Request> | undefined;
  /** Answers are checked, and callers get what the schema makes of them. */
  readonly responseSchema?: StandardSchema<Response> | undefined;
  /** Called in the new process before it connects, with the params. */
  postFork?(params: Params): void | Promise<void>;
}

/** A class whose instances are a service: made with the service before `onStart`. */
export type ServiceClass<Request = unknown, Response = unknown, Params = unknown> = new (
  service: Service<Params>,
) => ServiceDefinition<Request, Response, Params>;
