/** From what a caller names - a module, a definition, a function - to what another process can run. */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { IpcError, quote, systemCode } from '../errors.ts';
import type { CodeReference } from '../launch/assignment.ts';
import { evaluate, sourceOf } from '../launch/source.ts';
import { hasCallback } from './callbacks.ts';
import { isDefined } from './define.ts';
import type { ServiceClass, ServiceDefinition } from './definition.ts';

/** Code by which a caller names a service or a worker. */
export type CodeInput = string | URL | object;

/**
 * What another process needs to run it. `caller` is the file of whoever asked: relative imports resolve from there.
 * Throws `IPCM_INVALID_OPTION` for what no other process can get at.
 */
export function referenceOf(call: string, what: CodeInput, caller: string | undefined): CodeReference {
  if (what instanceof URL) return moduleAt(call, what.href);
  if (typeof what === 'string') return moduleAt(call, what);
  if (isDefined(what)) {
    if (what.file !== undefined) return { module: urlOf(what.file), ordinal: what.ordinal };
    throw new IpcError('IPCM_INVALID_OPTION', `${call}: the definition stands in no module; give the URL of one`);
  }
  return { source: sourceOf(call, what, caller === undefined ? undefined : urlOf(caller)) };
}

/** The service of a reference: its callbacks, or the class that has them. Throws `IPCM_SERVICE_FAILED`. */
export async function loadService(code: CodeReference): Promise<ServiceDefinition | ServiceClass> {
  if ('source' in code) return checked(await evaluate(code.source), 'the inline service');
  const exports = await importModule(code.module);
  const found = pick(code, exports, isDefined);
  return checked(found, code.module);
}

/** The function of a reference, for a worker. Throws `IPCM_SERVICE_FAILED`. */
export async function loadFunction(code: CodeReference): Promise<(...args: never[]) => unknown> {
  const found =
    'source' in code
      ? await evaluate(code.source)
      : pick(code, await importModule(code.module), (value) => typeof value === 'function');
  if (typeof found === 'function') return found as (...args: never[]) => unknown;
  throw failed(`${'source' in code ? 'the inline worker' : code.module} is no function`);
}

function moduleAt(call: string, specifier: string): CodeReference {
  const [place = '', exportName] = splitExport(specifier);
  if (/^(?:file|data):/.test(place)) return { module: place, exportName };
  if (isAbsolute(place)) return { module: pathToFileURL(place).href, exportName };
  throw new IpcError(
    'IPCM_INVALID_OPTION',
    `${call}: ${quote(specifier)} is no URL and no absolute path; write new URL(${JSON.stringify(specifier)}, import.meta.url)`,
  );
}

/** `file:///a/b.ts#name` names an export, and so does `/a/b.ts#name`, in whose path a `#` may be part of a file's name. */
function splitExport(specifier: string): [string, string | undefined] {
  const isNamed =
    specifier.startsWith('file:') ||
    (isAbsolute(specifier) && /#[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(specifier));
  const at = isNamed ? specifier.lastIndexOf('#') : -1;
  return at === -1 ? [specifier, undefined] : [specifier.slice(0, at), specifier.slice(at + 1)];
}

function urlOf(file: string): string {
  return isAbsolute(file) ? pathToFileURL(file).href : file;
}

async function importModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw unloadable(url, error) ?? error;
  }
}

/** What Node says of a module that it cannot load names no file, and no remedy. What the module's code throws is its own. */
function unloadable(url: string, error: unknown): IpcError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = systemCode(error) ?? '';
  if (code === 'ERR_MODULE_NOT_FOUND' && 'url' in error && error.url === url) {
    return failed(`Cannot find module ${url}: there is no such file`, error);
  }
  if (code === 'ERR_UNSUPPORTED_DIR_IMPORT') return failed(`${url} is a directory; name a file in it`, error);
  const isTypeScript = code.includes('TYPESCRIPT');
  if (!isTypeScript && !(error instanceof SyntaxError)) return undefined;
  const remedy = isTypeScript
    ? '; Node only erases types: compile the file before, or leave out what is more than types'
    : '';
  return failed(`${url} cannot be imported: ${error.message}${remedy}`, error);
}

function pick(
  code: Extract<CodeReference, { module: string }>,
  exports: Readonly<Record<string, unknown>>,
  fits: (value: unknown) => boolean,
): unknown {
  const { exportName, ordinal, module } = code;
  // A CommonJS module's exports are those of its default one too.
  const all = Object.entries(exports).filter(([, value]) => fits(value));
  if (exportName !== undefined) {
    if (Object.hasOwn(exports, exportName)) return exports[exportName];
    throw failed(
      `${module} has no export ${quote(exportName)}; it has ${Object.keys(exports).map(quote).join(', ') || 'none'}`,
    );
  }
  if (ordinal !== undefined) {
    const found = all.find(([, value]) => isDefined(value) && value.ordinal === ordinal);
    if (found !== undefined) return found[1];
    throw failed(`${module} does not export the service that was named; export what defineService returns`);
  }
  if (exports['default'] !== undefined) return exports['default'];
  const [only, ...others] = all;
  if (only !== undefined && others.length === 0) return only[1];
  const names = all.map(([name]) => quote(name)).join(', ');
  throw failed(
    `${module} has no default export and ${all.length === 0 ? 'no other that fits' : `several that fit (${names})`}; name one as URL#name`,
  );
}

function checked(value: unknown, what: string): ServiceDefinition | ServiceClass {
  const body = asDefinition(value, what);
  if (typeof body === 'function' || hasCallback(body)) return body;
  const has = Object.keys(body).map(quote).join(', ') || 'nothing';
  throw failed(`${what} has no callback of a service, such as handleRequest or onStart; it has ${has}`);
}

/** A function is a handler of requests. */
function asDefinition(value: unknown, what: string): ServiceDefinition | ServiceClass {
  if (typeof value === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(value))) return value as ServiceClass;
    return { handleRequest: value as NonNullable<ServiceDefinition['handleRequest']> };
  }
  if (isDefined(value)) return value.body;
  if (typeof value === 'object' && value !== null) return value;
  throw failed(`${what} exports ${quote(value)}, which is no service: neither made by defineService nor a function`);
}

function failed(message: string, cause?: Error): IpcError {
  return new IpcError('IPCM_SERVICE_FAILED', message, { cause });
}
