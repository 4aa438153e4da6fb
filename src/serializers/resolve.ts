/** From what a user or a connection info names to the serializer itself: by name, by module, or as it is. */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { IpcError, quote } from '../errors.ts';
import { checkContent } from '../message/content.ts';
import { serializer as json } from './json.ts';
import { serializer as jsonZstd } from './json-zstd.ts';
import type { Serializer, SerializerModule, SerializerSpec } from './serializer.ts';

/** The serializers of this package, the preferred one first. */
export const builtinSerializers: readonly SerializerModule[] = [jsonZstd, json];

/** What names a serializer: a name, a name with options (`[name, key, value, …]` or `[name, {…}]`), or the object. */
export type SerializerInput = string | readonly [string, ...unknown[]] | Serializer | SerializerModule;

const prefix = 'IPC::Manager::Serializer::';

/** Instances by their spec: a process that joins a bus twice reads a dictionary once. */
const shared = new Map<string, Serializer>();

/** `JSON::Zstd` where this runtime has zstd, else `JSON`. */
export function defaultSerializerName(): string {
  return builtinSerializers.find((module) => module.unviable({}) === undefined)?.name ?? 'JSON';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSerializer(value: unknown): value is Serializer {
  return isObject(value) && typeof value['serialize'] === 'function' && typeof value['deserialize'] === 'function';
}

function isModule(value: unknown): value is SerializerModule {
  return isObject(value) && typeof value['create'] === 'function';
}

/** The list form of options; what is undefined was not given. */
function flatten(options: Readonly<Record<string, unknown>>): unknown[] {
  return Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key, value]));
}

function readPairs(name: string, pairs: readonly unknown[]): Record<string, unknown> {
  const [first] = pairs;
  const list = pairs.length === 1 && isObject(first) ? flatten(first) : pairs;
  if (list.length % 2 !== 0) {
    const what = `options of serializer ${quote(name)} must come as key, value, key, value, but there are ${list.length}`;
    throw new IpcError('IPCM_INVALID_OPTION', what);
  }
  const options = new Map<string, unknown>();
  for (let index = 0; index < list.length; index += 2) {
    const key = list[index];
    const value = list[index + 1];
    const where = `option ${quote(key)} of serializer ${quote(name)}`;
    if (typeof key !== 'string') throw new IpcError('IPCM_INVALID_OPTION', `${where}: its name must be a string`);
    if (options.has(key)) throw new IpcError('IPCM_INVALID_OPTION', `${where} is there twice`);
    try {
      checkContent([value]);
    } catch (cause) {
      const what = `${where} cannot stand in the connection info: use a JSON value`;
      throw new IpcError('IPCM_INVALID_OPTION', what, { cause });
    }
    options.set(key, value);
  }
  // fromEntries defines its keys, so that one called __proto__ is a key like any other.
  return Object.fromEntries(options);
}

/** `specifier` such that every process finds the same module: paths become file: URLs, package names stay. */
function absolute(specifier: string): string {
  return /^\.{0,2}\//.test(specifier) ? pathToFileURL(resolve(specifier)).href : specifier;
}

/** Packages are looked for from the working directory first: this one may be installed elsewhere, say globally. */
function locate(specifier: string): string {
  if (/^[a-z]+:/.test(specifier)) return specifier;
  try {
    const { createRequire } = process.getBuiltinModule('node:module');
    const found = createRequire(join(process.cwd(), 'package.json')).resolve(specifier);
    return found.startsWith('/') ? pathToFileURL(found).href : found;
  } catch {
    return specifier; // also a package for import only, which require cannot see; import looks from where we are
  }
}

async function load(specifier: string): Promise<SerializerModule | Serializer> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(locate(specifier))) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `serializer +${specifier} cannot be imported (${reason}); every process on the bus needs that module`;
    throw new IpcError('IPCM_UNKNOWN_SERIALIZER', what, { cause });
  }
  for (const candidate of [exported['serializer'], exported['default']]) {
    if (isModule(candidate) || isSerializer(candidate)) return candidate;
  }
  const what = `module ${specifier} is no serializer: it must export one as \`serializer\` or \`default\``;
  throw new IpcError('IPCM_UNKNOWN_SERIALIZER', what);
}

function make(module: SerializerModule, options: Readonly<Record<string, unknown>>): Serializer {
  const reason = module.unviable(options);
  if (reason === undefined) return module.create(options);
  throw new IpcError('IPCM_NOT_VIABLE', `serializer ${module.name} is not viable: ${reason}`);
}

function share(spec: SerializerSpec, build: () => Serializer): Serializer {
  const key = JSON.stringify(spec);
  let instance = shared.get(key);
  if (instance === undefined) shared.set(key, (instance = build()));
  return instance;
}

async function custom(specifier: string, options: Readonly<Record<string, unknown>>): Promise<Serializer> {
  const exported = await load(specifier);
  const pairs = flatten(options);
  const spec: SerializerSpec = pairs.length === 0 ? `+${specifier}` : [`+${specifier}`, ...pairs];
  return share(spec, () => {
    if (!isModule(exported) && pairs.length > 0) {
      throw new IpcError('IPCM_INVALID_OPTION', `serializer +${specifier} is an instance and takes no options`);
    }
    const inner = isModule(exported) ? make(exported, options) : exported;
    // Under the spec by which other processes find the module, whatever it calls itself.
    return {
      name: inner.name,
      spec,
      serialize: (value) => inner.serialize(value),
      deserialize: (bytes, limit) => inner.deserialize(bytes, limit),
    };
  });
}

/**
 * The serializer that `input` names; equal arguments share one instance per process. A name is bare (`JSON::Zstd`) or full
 * (`IPC::Manager::Serializer::JSON::Zstd`), or `+` and a module to import: a path (from the working directory), a file: URL
 * or a package. That runs the module's code, so take connection info only from whom you would take code.
 *
 * Throws `IPCM_UNKNOWN_SERIALIZER`, `IPCM_NOT_VIABLE` or `IPCM_INVALID_OPTION`.
 */
export async function resolveSerializer(input: SerializerInput): Promise<Serializer> {
  if (isSerializer(input)) return input;
  if (isModule(input)) return make(input, {});
  const [name, ...pairs]: readonly unknown[] = typeof input === 'string' ? [input] : Array.isArray(input) ? input : [];
  if (typeof name !== 'string') {
    const what = `serializer ${quote(input)} is neither a name, a list that begins with one, nor a serializer`;
    throw new IpcError('IPCM_UNKNOWN_SERIALIZER', what);
  }
  const options = readPairs(name, pairs);
  if (name.startsWith('+')) return await custom(absolute(name.slice(1)), options);
  const bare = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const module = builtinSerializers.find((candidate) => candidate.name === bare);
  if (module === undefined) {
    const have = builtinSerializers.map((each) => each.name).join(' and ');
    const remedy = 'a newer ipc-manager may have it; one of your own is named by its module, as +./module.js';
    throw new IpcError('IPCM_UNKNOWN_SERIALIZER', `no serializer ${quote(name)}, only ${have}: ${remedy}`);
  }
  // By the spec of the instance, in which a dictionary's path has become absolute.
  const made = make(module, options);
  return share(made.spec, () => made);
}
