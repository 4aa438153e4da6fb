/**
 * Every error that a user of the bus can meet, as one class with one table of stable codes.
 *
 * A code is a promise: callers branch on it, docs/errors.md has a heading for each, and a test holds the two together.
 * A mistake of the programmer that no input can cause (a number where a function belongs) stays a plain `TypeError`.
 */

import { inspect } from 'node:util';

/** The stable codes and, for each, what it says in one line. `docs/errors.md` explains cause and remedy. */
export const errorCodes = {
  IPCM_INVALID_NAME: 'a client name that cannot be used',
  IPCM_INVALID_CONTENT: 'content that cannot be sent as JSON without loss',
  IPCM_INVALID_INFO: 'connection info that cannot be understood',
  IPCM_INVALID_OPTION: 'an option with a value that cannot be used',
  IPCM_UNKNOWN_PROTOCOL: 'a protocol that this version does not have',
  IPCM_UNKNOWN_SERIALIZER: 'a serializer that this version does not have',
  IPCM_NOT_VIABLE: 'a protocol or serializer that this machine or runtime cannot carry',
  IPCM_NOT_SUPPORTED: 'an operation that this protocol does not have',
  IPCM_NOT_CONNECTED: 'a call on a client that is not connected any more',
  IPCM_NAME_TAKEN: 'a name that another client holds',
  IPCM_NO_SUCH_CLIENT: 'a reconnect under a name that nobody left',
  IPCM_PEER_UNKNOWN: 'nobody of that name is on the bus',
  IPCM_PEER_GONE: 'the peer was there and has died or left',
  IPCM_MESSAGE_TOO_LARGE: 'a message over the limit',
  IPCM_MALFORMED_MESSAGE: 'bytes that are no message',
  IPCM_PEER_REFUSED: 'a connection that a client did not let in',
  IPCM_OUTBOX_FULL: 'more waits to be sent to one peer than the outbox may hold',
  IPCM_UNDELIVERED: 'messages that could not be sent before the deadline of a disconnect',
  IPCM_UNREAD_MESSAGES: 'messages that waited, unread, when their client disconnected',
  IPCM_TIMEOUT: 'something did not happen in the time given',
  IPCM_STORE_MISSING: 'no store at that route, or it has been removed',
  IPCM_STORE_FULL: 'no space left in the store',
  IPCM_STORE_FAILED: 'the operating system refused an operation on the store',
  IPCM_ROUTE_INVALID: 'a route that cannot be a store',
  IPCM_ROUTE_UNSAFE: 'a route that somebody else could tamper with',
  IPCM_PEER_EXPIRED: 'the peer was suspended and did not come back before its deadline',
  IPCM_SERVICE_FAILED: 'a service or worker that did not start',
  IPCM_RESTART_LIMIT: 'a supervised service that ended too often',
  IPCM_REQUEST_FAILED: 'the handler of a request threw',
  IPCM_REQUEST_INVALID: 'a request or an answer that does not fit, or a service that answers none',
  IPCM_REQUEST_REFUSED: 'a request that its service has not taken in hand',
  IPCM_NOT_IN_SERVICE: 'something that only a service can do',
  IPCM_NOT_SELF_CONTAINED: 'an inline function that uses what it does not have in another process',
  IPCM_SANITY_MISMATCH: 'messages sent and messages read do not add up',
  IPCM_SHUTDOWN_INCOMPLETE: 'clients that were still connected when the shutdown gave up waiting',
} as const;

/** One of the stable codes in {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

/**
 * A route, or whatever else a user gave, without the user and the password of a URL, and without the password of a data source
 * name. Up to the last "@": nobody knows what was not understood.
 */
export function withoutSecrets(value: string): string {
  return withoutPassword(value.replace(/:\/\/.*@/s, '://…@'));
}

/** The same for a text in which more than that stands. */
function withoutPassword(text: string): string {
  return text
    .replace(/:\/\/[^\s"/]*@/g, '://…@')
    .replace(/\b(pass(?:word)?)\s*=\s*(?:'(?:[^'\\]|\\.)*'?|[^;&\s"']*)/gi, '$1=…');
}

/** The facts that an error may carry beside its message. */
export interface ErrorFacts {
  /** The error that led to this one, for example the system's. */
  readonly cause?: unknown;
  /** Name of the client that made the call. */
  readonly client?: string;
  /** Name of the peer concerned. */
  readonly peer?: string;
  /** Process id concerned. */
  readonly pid?: number;
  /** Bare name of the protocol, such as `MessageFiles`. */
  readonly protocol?: string;
  /** Route of the store. */
  readonly route?: string;
  /** Code-specific facts, such as the messages left unread. */
  readonly details?: unknown;
}

/** The one error class of the bus; `code` tells what happened, the other fields with whom. */
export class IpcError extends Error {
  override readonly name = 'IpcError';
  readonly code: ErrorCode;
  // Declared, not initialised: an error that is printed shows the facts it has and no row of undefined ones.
  declare readonly client?: string;
  declare readonly peer?: string;
  declare readonly pid?: number;
  declare readonly protocol?: string;
  declare readonly route?: string;
  declare readonly details?: unknown;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(withoutPassword(message), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    const { cause: _, ...shown } = facts;
    Object.assign(this, shown);
    // They come from an info, where somebody may have written a URL in the wrong place.
    const { route, protocol } = facts;
    if (route !== undefined) Object.assign(this, { route: withoutSecrets(route) });
    if (protocol !== undefined) Object.assign(this, { protocol: withoutSecrets(protocol) });
  }
}

/** True when `error` is an {@link IpcError}, of the given code if one is named. */
export function isIpcError(error: unknown, code?: ErrorCode): error is IpcError {
  return error instanceof IpcError && (code === undefined || error.code === code);
}

/** The `code` of a system error (`ENOENT`, `EEXIST` …), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A value as it may stand in a message: quoted, without a password, and cut where a hostile one would flood the terminal. */
export function quote(value: unknown): string {
  const whole = typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 1, breakLength: Infinity });
  const text = withoutSecrets(whole);
  return text.length <= 120 ? text : `${text.slice(0, 100)}… (${text.length} characters)`;
}

/** Shows an error to whoever runs the process when no listener asked for it; `--no-warnings` silences it. */
export function warn(error: IpcError): void {
  process.emitWarning(error.message, { type: 'IpcWarning', code: error.code });
}
