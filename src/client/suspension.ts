/** How long a suspended client may stay away. */
import { IpcError, quote } from '../errors.ts';

/** The deadline of a suspension; without one it may stay away for ever. */
export interface SuspendOptions {
  /** The moment, as a `Date` or in milliseconds since the epoch, after which it counts as gone. */
  readonly expiresAt?: Date | number | undefined;
  /** The same as milliseconds from now. */
  readonly expiresIn?: number | undefined;
}

/** The deadline in epoch seconds. Throws `IPCM_INVALID_OPTION`. */
export function expiry({ expiresAt, expiresIn }: SuspendOptions): number | undefined {
  if (expiresAt === undefined && expiresIn === undefined) return undefined;
  if (expiresAt !== undefined && expiresIn !== undefined) {
    throw new IpcError('IPCM_INVALID_OPTION', 'suspend: give expiresAt or expiresIn, not both');
  }
  const millis = expiresIn === undefined ? Number(expiresAt) : Date.now() + expiresIn;
  if (Number.isFinite(millis)) return millis / 1000;
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `suspend: the deadline is no moment in time: ${quote(expiresAt ?? expiresIn)}`,
  );
}
