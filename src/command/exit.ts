/** How the command ends: exit codes, and coded errors on stderr. */
import { inspect } from 'node:util';
import { isIpcError } from '../index.ts';
import { printable } from './output.ts';

/** The exit codes; `ipcm --help` lists them. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  timeout: 3,
  peerGone: 4,
  sanityMismatch: 5,
  interrupted: 130,
} as const;

/** What went wrong in the command itself rather than in the library. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string;
  readonly exitCode: number;
  /** Facts for the JSON form. */
  readonly details: unknown;

  constructor(code: string, message: string, exitCode: number = exitCodes.failure, details?: unknown) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** A mistake on the command line. */
export function usageError(message: string): CommandError {
  return new CommandError('IPCM_USAGE', message, exitCodes.usage);
}

/** Codes of the library that end the command with something other than 1. What the caller typed wrong is a usage error. */
const exitCodeOf: ReadonlyMap<string, number> = new Map([
  ['IPCM_TIMEOUT', exitCodes.timeout],
  ['IPCM_PEER_UNKNOWN', exitCodes.peerGone],
  ['IPCM_PEER_GONE', exitCodes.peerGone],
  ['IPCM_PEER_EXPIRED', exitCodes.peerGone],
  ['IPCM_SANITY_MISMATCH', exitCodes.sanityMismatch],
  ['IPCM_INVALID_NAME', exitCodes.usage],
  ['IPCM_INVALID_CONTENT', exitCodes.usage],
  ['IPCM_INVALID_INFO', exitCodes.usage],
  ['IPCM_INVALID_OPTION', exitCodes.usage],
  ['IPCM_UNKNOWN_PROTOCOL', exitCodes.usage],
  ['IPCM_UNKNOWN_SERIALIZER', exitCodes.usage],
]);

/** The exit code that an error asks for. */
export function exitCodeFor(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof AggregateError) return exitCodeFor(error.errors[0]);
  return isIpcError(error) ? (exitCodeOf.get(error.code) ?? exitCodes.failure) : exitCodes.failure;
}

/** The stable code of an error: the library's, the system's, or that of a bug. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'IPCM_INTERNAL';
}

/** Tells on stderr what went wrong: `ipcm: CODE: message`, or with `--json` one line of JSON. */
export function reportError(error: unknown, json: boolean): void {
  if (error instanceof AggregateError) {
    for (const each of error.errors as unknown[]) reportError(each, json);
    return;
  }
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  // A system error's message repeats its code.
  const message = text.startsWith(`${code}: `) ? text.slice(code.length + 2) : text;
  if (json) {
    process.stderr.write(`${JSON.stringify({ code, message, ...factsOf(error) })}\n`);
  } else {
    process.stderr.write(`ipcm: ${code}: ${printable(message)}\n`);
  }
  if ((process.env['IPCM_DEBUG'] ?? '') !== '') process.stderr.write(`${inspect(error)}\n`);
}

function factsOf(error: unknown): Record<string, unknown> {
  if (error instanceof CommandError) return { details: error.details };
  if (!isIpcError(error)) return {};
  const { client, peer, pid, protocol, route, details } = error;
  return { client, peer, pid, protocol, route, details };
}
