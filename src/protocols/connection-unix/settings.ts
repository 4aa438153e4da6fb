/** The options that only this protocol knows, checked. */
import { IpcError, quote } from '../../errors.ts';
import { spinOption } from '../directory/spin.ts';

/** `protocolOptions` of ConnectionUnix, with every default filled in. */
export interface Settings {
  /** False for a client that connects to others and cannot be connected to. */
  readonly listen: boolean;
  /** Milliseconds in which a frame that has begun must be whole. */
  readonly partialFrameTimeout: number;
  /** Users (uid) beside our own whose processes may connect; `true` for all. */
  readonly allowUsers: readonly number[] | true;
  /** Microseconds to ask on for after a message before going to sleep; needs the native part. */
  readonly spin: number;
}

function refuse(name: string, wanted: string, value: unknown): never {
  const text = `ConnectionUnix: the option ${name} is ${wanted}, not ${quote(value)}`;
  throw new IpcError('IPCM_INVALID_OPTION', text, { protocol: 'ConnectionUnix' });
}

function listens(value: unknown): boolean {
  if (value === undefined || value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  return refuse('listen', 'true or false', value);
}

function partialFrameTimeout(value: unknown): number {
  if (value === undefined) return 30_000;
  if (typeof value === 'number' && value > 0) return value;
  return refuse('partialFrameTimeout', 'a number of milliseconds above 0', value);
}

function allowedUsers(value: unknown): readonly number[] | true {
  if (value === undefined || value === false) return [];
  if (value === true) return true;
  if (Array.isArray(value) && value.every((uid) => Number.isSafeInteger(uid) && uid >= 0)) return value as number[];
  return refuse('allowUsers', 'true or an array of user ids', value);
}

/** The settings of a client. Throws `IPCM_INVALID_OPTION`. */
export function settingsOf(options: Readonly<Record<string, unknown>>): Settings {
  return {
    listen: listens(options['listen']),
    partialFrameTimeout: partialFrameTimeout(options['partialFrameTimeout']),
    allowUsers: allowedUsers(options['allowUsers']),
    spin: spinOption(options),
  };
}
