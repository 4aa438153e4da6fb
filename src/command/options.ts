/** The options that every command has, and the forms that several share. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { SerializerSpec } from '../index.ts';
import { addAccess } from './access.ts';
import { usageError } from './exit.ts';

/** The options of the program, which every command takes before or after its name. */
export interface GlobalOptions {
  readonly info?: string;
  readonly route?: string;
  readonly protocol?: string;
  readonly serializer?: SerializerSpec;
  readonly json?: boolean;
}

/** Adds the global options to the program. */
export function addGlobalOptions(program: Command): void {
  program
    .option('-i, --info <info>', 'the bus: the line that "ipcm spawn" printed (or set IPCM_INFO)')
    .option('-p, --protocol <name>', 'protocol: MessageFiles, …, or +module for one of your own')
    .option('-s, --serializer <name>', 'serializer: JSON, JSON::Zstd, or ["JSON::Zstd","level",9]', serializerSpec)
    .option('--route <place>', 'where the store is, or where spawn shall make it')
    .option('--json', 'print lines of JSON, for programs; errors too');
  addAccess(program);
}

function serializerSpec(text: string): SerializerSpec {
  if (!text.startsWith('[')) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Falls through to the one complaint below.
  }
  if (Array.isArray(value) && typeof value[0] === 'string') return value as unknown as SerializerSpec;
  throw new InvalidArgumentError('It is a name, or a JSON array [name, key, value, …].');
}

/** Parses a whole number within bounds. */
export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It is a whole number ${range}.`);
  };
}

/** Parses seconds, also fractions of one, to milliseconds. */
export function seconds(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && Number.isFinite(value)) return value * 1000;
  throw new InvalidArgumentError('It is a number of seconds.');
}

/** The option by which a command that only sends names its client. */
export function nameOption(): Option {
  return new Option('--name <name>', 'name of the sending client').default(undefined, 'ipcm- and the process id');
}

/** The JSON value of an argument, or with `text` the text itself. */
export function contentOf(text: string, isText: boolean | undefined, what = 'the content'): unknown {
  if (isText === true) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `${what} is not JSON (${reason}); quote a string as '"hello"'${isText === undefined ? '' : ', or give --text'}`,
    );
  }
}
