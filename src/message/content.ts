/**
 * What may be sent: any JSON value but null, and nothing that JSON would change without a word.
 *
 * `JSON.stringify` turns a Map into `{}`, NaN into null and drops functions. A bus that did the same would deliver
 * something else than was sent, so those are refused here, with the path to the value and the remedy.
 */
import { IpcError } from '../errors.ts';

/** A JSON value, as it arrives. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const lossy = [
  [Map, 'a Map', 'send Object.fromEntries(map) or [...map]'],
  [Set, 'a Set', 'send [...set]'],
  [Error, 'an Error', 'send its message and what else you need'],
  [RegExp, 'a RegExp', 'send its source'],
  [Promise, 'a Promise', 'await it first'],
  [ArrayBuffer, 'an ArrayBuffer', 'send a base64 string or the path of a file'],
  [SharedArrayBuffer, 'a SharedArrayBuffer', 'send a base64 string or the path of a file'],
  [WeakMap, 'a WeakMap', 'send a plain object'],
  [WeakSet, 'a WeakSet', 'send an array'],
] as const;

/** Above this depth the check stops with an error instead of a stack overflow. */
const deepest = 1000;

function refuse(path: string, what: string, remedy: string, cause?: unknown): never {
  const where = path === '' ? 'content' : `content${path}`;
  throw new IpcError('IPCM_INVALID_CONTENT', `${where} is ${what}, which JSON cannot carry: ${remedy}`, { cause });
}

/** True for what JSON makes `{}` of although there is something in it, such as a URLSearchParams or an iterator. */
function isEmptied(value: object): boolean {
  return Symbol.iterator in value && !(value instanceof String) && Object.keys(value).length === 0;
}

function checkObject(value: object, path: string, depth: number): void {
  if (depth > deepest) refuse('', `nested more than ${deepest} levels deep, or a cycle`, 'send it in parts, or by id');
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (item === undefined) refuse(`${path}[${index}]`, 'undefined', 'use null, or leave it out');
      checkValue(item, path, index, depth + 1);
    }
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (ArrayBuffer.isView(value)) refuse(path, 'binary data', 'send a base64 string or the path of a file');
    for (const [type, what, remedy] of lossy) if (value instanceof type) refuse(path, what, remedy);
    if (value instanceof Date && Number.isNaN(value.getTime())) refuse(path, 'an invalid Date', 'leave it out');
  }
  // Whoever defines toJSON has said what the JSON form is; a Date arrives as its ISO string.
  if ('toJSON' in value && typeof value.toJSON === 'function') return;
  if (prototype !== Object.prototype && prototype !== null && isEmptied(value)) {
    refuse(path, 'an iterable without properties', 'send [...it], or Object.fromEntries(it)');
  }
  for (const key of Object.keys(value)) {
    checkValue((value as Record<string, unknown>)[key], path, key, depth + 1);
  }
}

function checkValue(value: unknown, path: string, key: string | number, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined': // an absent property; in arrays and on top it is refused by the caller
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(join(path, key), String(value), 'JSON has finite numbers only');
      return;
    case 'object':
      if (value !== null) checkObject(value, join(path, key), depth);
      return;
    case 'bigint':
      refuse(join(path, key), 'a BigInt', 'send it as a string');
      break;
    default:
      refuse(join(path, key), `a ${typeof value}`, 'send data only');
  }
}

function join(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return key === '' ? path : `${path}.${key}`;
}

/** Throws `IPCM_INVALID_CONTENT` unless `content` can be sent without loss. */
export function checkContent(content: unknown): void {
  if (content === undefined) refuse('', 'undefined', 'every message needs content');
  if (content === null) refuse('', 'null', 'a message carries any JSON value but null');
  checkValue(content, '', '', 0);
}
