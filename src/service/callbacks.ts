/** The callbacks of a service: those of its definition, and those that were added while it runs. */
import type { CallbackName, ServiceDefinition } from './definition.ts';

type Callback = (...args: never[]) => unknown;

/** Callbacks by name, each list in the order in which it is called. */
export class Callbacks {
  readonly #lists = new Map<CallbackName, Callback[]>();

  constructor(definition: ServiceDefinition) {
    for (const name of names) {
      const callback = definition[name] as Callback | undefined;
      if (callback !== undefined) this.add(name, callback.bind(definition));
    }
  }

  /** True where there is one. */
  has(name: CallbackName): boolean {
    return this.#lists.has(name);
  }

  /** Adds one behind the others, or before them. */
  add(name: CallbackName, callback: Callback, first = false): void {
    const list = this.#lists.get(name) ?? [];
    // A list in use is not changed: what is being called goes on as it was.
    this.#lists.set(name, first ? [callback, ...list] : [...list, callback]);
  }

  /** Removes one, or all of a name; false where it was not there. */
  remove(name: CallbackName, callback?: Callback): boolean {
    const list = this.#lists.get(name);
    if (list === undefined) return false;
    const rest = callback === undefined ? [] : list.filter((each) => each !== callback);
    if (rest.length > 0) this.#lists.set(name, rest);
    else this.#lists.delete(name);
    return rest.length < list.length;
  }

  /** The callbacks of a name. */
  list(name: CallbackName): readonly Callback[] {
    return this.#lists.get(name) ?? [];
  }
}

/** True for a definition with anything to call: one without has most likely a misspelled name in it. */
export function hasCallback(definition: ServiceDefinition): boolean {
  const { handleRequest, onSig } = definition;
  return handleRequest !== undefined || onSig !== undefined || names.some((name) => definition[name] !== undefined);
}

const names = [
  'handleResponse',
  'onAll',
  'onStart',
  'onInterval',
  'onPeerDelta',
  'onPid',
  'onGeneralMessage',
  'onUnhandled',
  'onError',
  'onCleanup',
  'shouldEnd',
] as const satisfies readonly CallbackName[];
