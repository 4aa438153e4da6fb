/** What a supervisor is told: its children, and what to do when one ends. */
import type { SpawnOptions } from '../bus.ts';
import type { ConnectOptions, InfoInput } from '../connect.ts';
import { checkName } from '../client/options.ts';
import { IpcError, quote } from '../errors.ts';
import type { Service } from './definition.ts';
import type { CodeInput } from './code.ts';
import type { ServiceOptions } from './start.ts';

/**
 * Who is started again when a child has to be: itself, all children, or itself and those that stand behind it. Others that
 * run are ended before, in reverse order.
 */
export type SupervisorStrategy = 'oneForOne' | 'oneForAll' | 'restForOne';

/** Whether a child is started again: always, only after a failure (an exit code but 0, or a signal), or never. */
export type SupervisorRestart = 'permanent' | 'transient' | 'temporary';

/** Options of a supervised service: those of `ipcmService` but for the bus and the waiting, which are the supervisor's. */
export type SupervisedOptions = Omit<ServiceOptions, 'ipcmInfo' | 'spawn' | 'wait' | 'service' | 'daemonize'>;

/** A service under a supervisor. */
export interface SupervisedService {
  readonly name: string;
  /** What `ipcmService` takes: what `defineService` made, a module, or a self-contained function or object. */
  readonly service: CodeInput;
  readonly options?: SupervisedOptions | undefined;
  /** Default `permanent`. */
  readonly restart?: SupervisorRestart | undefined;
  /** Milliseconds to end when it is asked to; then it is killed. Default 5000. */
  readonly grace?: number | undefined;
}

/** Options of `ipcmSupervise`. */
export interface SupervisorOptions {
  /** Started in this order, each when the one before is ready; ended in reverse. */
  readonly children: readonly SupervisedService[];
  /** Default `oneForOne`. */
  readonly strategy?: SupervisorStrategy | undefined;
  /** The supervisor gives up when it would have to restart more often than that in one `period`. Default 3. */
  readonly intensity?: number | undefined;
  /** Milliseconds. Default 5000. */
  readonly period?: number | undefined;
  /** The bus. Default: inside a service its bus, else a fresh one that goes with the supervisor. */
  readonly ipcmInfo?: InfoInput | undefined;
  /** How to make the fresh bus; without a sanity check unless asked for, since who is killed leaves no counts. */
  readonly spawn?: SpawnOptions | undefined;
  /** Options of the supervisor's client. */
  readonly connect?: ConnectOptions | undefined;
  /** The service that the supervisor is part of, and with which it stops. Default: the one that this process is. */
  readonly parent?: Service | undefined;
  /** Stop, in order, on SIGTERM, SIGINT and SIGHUP; a second one ends the process at once. Default false. */
  readonly handleSignals?: boolean | undefined;
}

/** How a child ended, or why it did not start. */
export interface SupervisedExit {
  readonly name: string;
  /** Undefined for one that did not start. */
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Its own error, where it told one. */
  readonly error: Error | undefined;
}

/** What a supervisor tells. */
export interface SupervisorEvents {
  /** A child is ready, for the first time or again. */
  started: [child: { readonly name: string; readonly pid: number }];
  /** A child ended by itself, or did not start. */
  exited: [exit: SupervisedExit];
  /** A child is ready again; `restarts` counts how often it was. */
  restarted: [child: { readonly name: string; readonly pid: number; readonly restarts: number }];
  /** Restarts did not help: all children have been ended. */
  gaveUp: [error: IpcError];
}

/** The options with every default filled in. */
export interface ResolvedSupervision {
  readonly strategy: SupervisorStrategy;
  readonly intensity: number;
  readonly period: number;
}

const strategies: readonly unknown[] = ['oneForOne', 'oneForAll', 'restForOne'];
const restarts: readonly unknown[] = ['permanent', 'transient', 'temporary'];

/** Checks the options and fills in the defaults. Throws `IPCM_INVALID_OPTION`, `IPCM_INVALID_NAME`. */
export function resolveSupervision(options: SupervisorOptions): ResolvedSupervision {
  const { strategy = 'oneForOne', intensity = 3, period = 5000, children } = options;
  if (!strategies.includes(strategy)) throw invalid('strategy', strategies.join(', '), strategy);
  if (!(intensity >= 0)) throw invalid('intensity', 'a number of at least 0', intensity);
  if (!(period > 0)) throw invalid('period', 'a number of milliseconds', period);
  const names = new Set<string>();
  for (const { name, restart = 'permanent', grace = 0, options: given } of children) {
    checkName('ipcmSupervise', name);
    if (names.has(name)) throw invalid('children', 'a list of different names', name);
    names.add(name);
    if (given !== undefined && 'daemonize' in given && given.daemonize === true) {
      throw invalid('daemonize', 'not for supervised services, which are children of the supervisor', true);
    }
    if (!restarts.includes(restart)) throw invalid('restart', restarts.join(', '), restart);
    if (!(grace >= 0)) throw invalid('grace', 'a number of milliseconds', grace);
  }
  return { strategy, intensity, period };
}

function invalid(name: string, what: string, value: unknown): IpcError {
  return new IpcError('IPCM_INVALID_OPTION', `ipcmSupervise: ${name} is ${what}; not ${quote(value)}`);
}
