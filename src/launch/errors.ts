/** Errors that cross from a child to its parent: with their stack, code and cause. */
import { inspect } from 'node:util';
import { errorCodes, IpcError, isIpcError, type ErrorCode } from '../errors.ts';

/** An error as it is cloned. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly cause: ErrorRecord | undefined;
}

/** Causes that are told, one within the other. */
const depth = 4;

/** Characters of a text that are told. */
const longest = 64 * 1024;

/** What can be told of an error, whatever was thrown. */
export function errorRecord(error: unknown, left: number = depth): ErrorRecord {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: text(error), stack: undefined, code: undefined, cause: undefined };
  }
  const { name, message, stack, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    name: text(name),
    message: text(message),
    stack: stack === undefined ? undefined : text(stack),
    code,
    cause: cause === undefined || left === 0 ? undefined : errorRecord(cause, left - 1),
  };
}

function text(value: unknown): string {
  // A symbol and an object without a prototype have no text that `String` or a template finds in every case.
  const whole = typeof value === 'string' ? value : inspect(value);
  return whole.length <= longest ? whole : `${whole.slice(0, longest)}…`;
}

/** The error that was recorded; one of the bus stays one. */
export function errorOf(record: ErrorRecord): Error {
  const cause = record.cause === undefined ? undefined : errorOf(record.cause);
  const error =
    record.name === 'IpcError' && isErrorCode(record.code)
      ? new IpcError(record.code, record.message, { cause })
      : Object.assign(new Error(record.message, cause === undefined ? undefined : { cause }), { name: record.name });
  if (record.stack !== undefined) error.stack = record.stack;
  if (record.code !== undefined && !isIpcError(error)) Object.assign(error, { code: record.code });
  return error;
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(errorCodes, code);
}
