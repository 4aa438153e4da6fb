/** What a started process is told to do: the first frame on its private pipe. */
import type { ProcessIdentity } from '../liveness/identity.ts';
import type { ErrorRecord } from './errors.ts';
import type { InlineSource } from './source.ts';

/** Code that a child runs: a module, or text. */
export type CodeReference =
  | {
      /** URL of the module. */
      readonly module: string;
      /** Which of its exports; the default one, or the only one that fits, if neither this nor `ordinal` is given. */
      readonly exportName?: string | undefined;
      /** Which of the definitions made while the module was evaluated, from 0. */
      readonly ordinal?: number | undefined;
    }
  | { readonly source: InlineSource };

/** What a process is told first that is to start a daemon and go away: how many descriptors behind the pipe it hands on. */
export interface Daemonize {
  readonly daemonize: true;
  readonly inherit: number;
}

/** What a process is for. */
export type Role = 'service' | 'worker' | 'keeper';

/** The first frame. */
export interface Assignment {
  readonly role: Role;
  readonly name: string;
  /** Info of the bus that it shall take part in. */
  readonly info: string;
  readonly code?: CodeReference | undefined;
  readonly params?: unknown;
  /** What the role alone knows. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a daemon is told when it was ready in time: else nobody knows of it, and it ends. */
export interface Kept {
  readonly kept: true;
}

/** What a child says: that it is ready, or why it never will be. */
export type ChildReport =
  | { readonly event: 'ready'; readonly process: ProcessIdentity }
  | { readonly event: 'failed'; readonly error: ErrorRecord }
  | { readonly event: 'ended'; readonly error: ErrorRecord | undefined };

/** What is undefined was not given, but in the params, which are somebody else's. */
export function given({ params, code, settings, ...rest }: Assignment): object {
  const connect = settings['connect'];
  const told = typeof connect === 'object' && connect !== null ? { ...settings, connect: defined(connect) } : settings;
  return defined({ ...rest, params, code: code === undefined ? code : defined(code), settings: defined(told) });
}

function defined(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
