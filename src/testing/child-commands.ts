/** What a child process of the suite can be told to do; both ends speak one line of JSON per request, answer and event. */
import type { Receipt } from './numbered.ts';

/** A message as a child reports it. */
export interface Reported {
  readonly from: string;
  readonly broadcast: boolean;
  readonly content: unknown;
}

/** Whom to send numbered messages, how many, and how large they are in turn. */
export interface NumberedBatch {
  readonly to: string;
  readonly count: number;
  readonly sizes: readonly number[];
}

/** The commands: what goes in and what comes back. */
export interface Commands {
  /** Connects or reconnects. */
  connect: [args: ConnectArguments, result: null];
  /** Makes a store, guarded unless the options say otherwise. */
  spawn: [args: { readonly options: Readonly<Record<string, unknown>> }, result: { info: string; route: string }];
  /** Makes a store and hands it over to a process that keeps it. */
  cleave: [
    args: { readonly spawn: Readonly<Record<string, unknown>> },
    result: { readonly info: string; readonly route: string; readonly keeper: number },
  ];
  /** Starts a service on a store of its own, guarded unless the options say otherwise, and does not stop it. */
  service: [
    args: { readonly spawn: Readonly<Record<string, unknown>> },
    result: { readonly pid: number; readonly route: string },
  ];
  /** Sends one message and awaits it. */
  send: [args: { readonly to: string; readonly content: unknown }, result: null];
  /** Sends numbered messages without awaiting any, then waits for all. Returns how many were refused. */
  sendNumbered: [args: NumberedBatch, result: { readonly refused: number }];
  /** Sends numbered messages, awaiting each, until one is refused; tells how many were not, and the code of the refusal. */
  sendUntilGone: [args: { readonly to: string }, result: { readonly sent: number; readonly code: string }];
  /** Awaits `count` sends of numbered messages, then calls `process.exit(0)` in the same turn; never answers. */
  sendAndExit: [args: NumberedBatch, result: never];
  /** Reads until it has `count` messages. */
  receive: [args: { readonly count: number }, result: Reported[]];
  /** Reads until it has `count` numbered messages, and checks each. */
  receiveNumbered: [args: { readonly count: number }, result: Receipt[]];
  /** Reads until it has `count` messages and acknowledges the first `acknowledge` of them. */
  receiveAndAcknowledge: [args: { readonly count: number; readonly acknowledge: number }, result: Reported[]];
  /** From now on answers each message with its own content. */
  echo: [args: Record<never, never>, result: null];
  /** From now on reads until a terminate message, then disconnects and ends, or else goes on for ever. */
  listen: [args: { readonly terminate: 'obey' | 'ignore' }, result: null];
  /** Keeps the event loop busy; the event `blocking` is the last thing heard before. */
  block: [args: { readonly milliseconds: number }, result: null];
  /** Reports the signal as an event instead of dying of it. */
  trapSignal: [args: { readonly signal: 'SIGTERM' | 'SIGUSR2' }, result: null];
  suspend: [args: { readonly expiresIn?: number }, result: null];
  disconnect: [args: Record<never, never>, result: null];
  peers: [args: Record<never, never>, result: string[]];
  /** Stops reading commands, so that only the bus could keep the process alive. Answers first. */
  letGo: [args: { readonly waiting: boolean }, result: null];
  /** Calls `process.exit`, with `busy` in the middle of sends to itself; never answers. */
  exit: [args: { readonly code: number; readonly busy?: boolean }, result: never];
  /** Throws an error that nobody catches; never answers. */
  fail: [args: Record<never, never>, result: never];
}

/** How a child connects. */
export interface ConnectArguments {
  readonly name: string;
  readonly info: string;
  readonly mode: 'connect' | 'reconnect';
  /** Where the info does not tell it. */
  readonly protocol: string | undefined;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Something that a child says unasked. */
export type ChildEvent =
  | { readonly event: 'ready'; readonly pid: number }
  | { readonly event: 'blocking' }
  | { readonly event: 'signal'; readonly signal: string }
  | { readonly event: 'terminated' };

/** One line to a child. */
export interface Request {
  readonly id: number;
  readonly command: keyof Commands;
  readonly args: unknown;
}

/** One line from a child. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string | undefined; readonly message: string } };
