/**
 * Functions as source text. Node cannot fork a closure: what another process is to run without a module of its own is sent
 * as text, and can use nothing but its arguments, the globals, and what it imports itself.
 */
import type * as Vm from 'node:vm';
import { IpcError, quote } from '../errors.ts';

/** A function, or an object of functions and plain values, as text that evaluates to the same. */
export interface InlineSource {
  readonly text: string;
  /** Where it stood: relative imports in it resolve from there, and stack traces name it. */
  readonly file: string | undefined;
}

/** The text of a function or an object of functions. Throws `IPCM_INVALID_OPTION` for one that has no text. */
export function sourceOf(call: string, value: object, file: string | undefined): InlineSource {
  if (typeof value === 'function' || isRecord(value)) return { text: textOf(call, [], value), file };
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `${call}: what is given is neither a function nor a plain object of functions, and only those can be sent to another ` +
      'process; put it into a module with defineService',
  );
}

/** Loaded where there is such code: it takes half a millisecond of a start. */
const vm = (): typeof Vm => process.getBuiltinModule('node:vm');

/** True in a process that runs inline code: in others a missing variable is a mistake like any other. */
let runsInline = false;

/** What the text stands for. */
export async function evaluate({ text, file }: InlineSource): Promise<unknown> {
  runsInline = true;
  const { compileFunction, constants } = vm();
  const options = { filename: file ?? 'inline' };
  const code = `'use strict'; return (${text});`;
  if (!/\bimport\b/.test(text)) return call(compileFunction(code, [], options));
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  await quietly(() => call(compileFunction("return import('node:vm')", [], { importModuleDynamically })));
  return call(compileFunction(code, [], { ...options, importModuleDynamically }));
}

function call(compiled: unknown): unknown {
  return (compiled as () => unknown)();
}

/** The first `import()` in such a text makes Node call that experimental, on stderr. The work is done; its warning is not told. */
async function quietly(work: () => unknown): Promise<void> {
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  const before: unknown = Reflect.get(process, 'emitWarning');
  Reflect.set(process, 'emitWarning', (...args: unknown[]) => {
    if (!String(args[0]).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit(...args);
  });
  try {
    await work();
  } finally {
    Reflect.set(process, 'emitWarning', before);
  }
}

/** What an error of an inline function means: names the variable that it has not, and the remedy. */
export function explainInline(error: unknown): unknown {
  const name = error instanceof ReferenceError ? /^(\S+) is not defined$/.exec(error.message)?.[1] : undefined;
  if (name === undefined || !runsInline) return error;
  return new IpcError(
    'IPCM_NOT_SELF_CONTAINED',
    `an inline function uses ${quote(name)}, which it does not have in the process where it runs: give it as part of ` +
      'params, import it inside the function, or put the function into a module with defineService',
    { cause: error },
  );
}

/** Members within members; deeper ones, and cycles, are refused. */
const deepest = 20;

function textOf(call: string, path: readonly string[], value: unknown): string {
  if (typeof value === 'function') return functionText(call, path.join('.') || 'it', value as () => unknown);
  if (path.length < deepest) {
    if (isRecord(value)) {
      // Computed keys: `__proto__` would be no member otherwise.
      const members = Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => `[${JSON.stringify(name)}]: ${textOf(call, [...path, name], member)}`);
      return `{ ${members.join(',\n')} }`;
    }
    if (Array.isArray(value)) {
      return `[${value.map((member, index) => textOf(call, [...path, String(index)], member)).join(', ')}]`;
    }
  }
  const isJson = value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
  if (isJson) return JSON.stringify(value);
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `${call}: ${quote(path.join('.'))} of an inline service is neither a function nor plain JSON; put it into a module with defineService`,
  );
}

/** Methods are written `name() {}`, which is an expression only inside an object. */
function functionText(call: string, name: string, value: (...args: never[]) => unknown): string {
  const text = Function.prototype.toString.call(value);
  if (isExpression(`(${text})`)) return `(${text})`;
  const method = `({ ${text} })[${JSON.stringify(value.name)}]`;
  if (isExpression(method)) return method;
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `${call}: ${name} is a function without a text of its own (native, or bound); wrap it in an arrow function`,
  );
}

function isExpression(text: string): boolean {
  try {
    vm().compileFunction(`return ${text};`, []);
    return true;
  } catch {
    // A syntax error: the other way of writing it is tried.
    return false;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
