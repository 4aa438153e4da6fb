/**
 * Calls a service's callbacks, and deals with what they throw: it ends the service unless errors are intercepted; then
 * `onError` gets it, or it becomes a warning of the process.
 */
import { explainInline } from '../launch/source.ts';
import { Callbacks } from './callbacks.ts';
import type { CallbackName, Service, ServiceDefinition } from './definition.ts';

/** What the calls need of their service. */
export interface CallingPort {
  readonly service: Service;
  interceptErrors(): boolean;
  end(reason: unknown): void;
  /** Work that nobody waits for but the end of the service; it never rejects. */
  begun(work: Promise<void>): void;
}

/** The callbacks of a service. */
export class Calling {
  readonly #port: CallingPort;
  #callbacks = new Callbacks({});
  #errors = 0;

  constructor(port: CallingPort) {
    this.#port = port;
  }

  /** The callbacks, to add to and to take from. */
  get callbacks(): Callbacks {
    return this.#callbacks;
  }

  /** Callbacks and handlers that threw. */
  get errors(): number {
    return this.#errors;
  }

  /** From now on it is those of a definition. */
  define(definition: ServiceDefinition): void {
    this.#callbacks = new Callbacks(definition);
  }

  /** Calls those of a name, one after the other. Rejects with what the first of them throws. */
  async strictly(name: CallbackName, ...args: readonly unknown[]): Promise<void> {
    for (const callback of this.#callbacks.list(name)) await callback(...(args as never[]));
  }

  /** Calls those of a name, one after the other; what goes wrong is dealt with. */
  call(name: CallbackName, ...args: readonly unknown[]): Promise<void> {
    return this.guarded(() => this.strictly(name, ...args));
  }

  /** Does something of which what goes wrong is dealt with. */
  async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failed(explainInline(error), this.#port.interceptErrors());
    }
  }

  /** Something went wrong. */
  failed(error: unknown, intercepted: boolean): void {
    this.#errors++;
    if (!intercepted) this.#port.end(error);
    else if (!this.#callbacks.has('onError')) warn(error);
    else this.#port.begun(this.strictly('onError', error, this.#port.service).catch(warn));
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
