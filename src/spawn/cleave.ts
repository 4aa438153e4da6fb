/** Handing a store over to a process that does nothing but keep it, so that who made it may end before those who use it. */
import type { Assignment } from '../launch/assignment.ts';
import type { Inheritance } from '../launch/launched.ts';
import type { LaunchOptions, OutputTarget } from '../launch/options.ts';
import { launch } from '../launch/spares.ts';
import type { ClientOptions } from '../client/options.ts';
import { IpcError } from '../errors.ts';
import { ownIdentity } from '../liveness/identity.ts';
import type { Protocol, Store } from '../protocol/protocol.ts';

/** How the new owner keeps the store. */
export interface CleaveOptions {
  /** Milliseconds without any client, suspended ones included, after which it is shut down. Default 60,000; Infinity: never. */
  readonly idleTimeout?: number | undefined;
  /** Where the new owner says what its shutdown found, such as messages unread. Default: `ignore`. */
  readonly stderr?: OutputTarget | undefined;
  /** Milliseconds that the handing over may take. Default 30,000. */
  readonly startTimeout?: number | undefined;
}

/** The new owner of a store. */
export interface Keeper {
  /** Its process: SIGTERM or SIGINT has it shut the store down. */
  readonly pid: number;
}

/** What is handed over. */
export interface Cleavable {
  readonly protocol: Protocol;
  readonly info: string;
  readonly store: Store;
  readonly guard: boolean;
  readonly signal: NodeJS.Signals | undefined;
  readonly sanityCheck: boolean;
  readonly clientOptions: ClientOptions;
}

/** For the end of this process: starts a keeper that shuts the store down at once, and does not wait for it. Never throws. */
export function leaveToKeeper(parts: Cleavable): void {
  try {
    const launched = launch('exit', 'the keeper of the store', daemonWith(parts, {}));
    launched.assign(assignmentOf(parts, { idleTimeout: 0, timeout: 0 }));
    launched.keep();
  } catch {
    // There is no process to be had, or no way to tell it how to get in: nobody is left to hear of it.
  }
}

/** Starts the new owner; resolves when the store is its. */
export async function cleave(parts: Cleavable, options: CleaveOptions): Promise<Keeper> {
  const { protocol, store, guard } = parts;
  if (!protocol.capabilities.crossProcess) {
    throw new IpcError(
      'IPCM_NOT_SUPPORTED',
      `cleave: a store of ${protocol.name} lives in this process's memory and cannot outlive it; use another protocol`,
      { protocol: protocol.name },
    );
  }
  const launched = launch('cleave', 'the keeper of the store', daemonWith(parts, options));
  try {
    launched.assign(assignmentOf(parts, { idleTimeout: options.idleTimeout ?? 60_000 }));
    return { pid: await launched.ready(options.startTimeout) };
  } catch (error) {
    // The store may be its already.
    await launched.giveUp();
    await store.own?.(ownIdentity(), guard);
    throw error;
  } finally {
    launched.release();
  }
}

function daemonWith({ store }: Cleavable, options: CleaveOptions): LaunchOptions & Inheritance {
  return { ...options, daemonize: true, inherit: store.holds?.() ?? [] };
}

/** Milliseconds: without any client until the shutdown, and that this waits for them. */
interface Patience {
  readonly idleTimeout: number;
  readonly timeout?: number;
}

function assignmentOf({ info, guard, signal, sanityCheck, clientOptions }: Cleavable, patience: Patience): Assignment {
  const settings = { daemon: true, guard, signal, sanityCheck, ...patience, connect: clientOptions };
  return { role: 'keeper', name: 'keeper', info, code: undefined, params: undefined, settings };
}
