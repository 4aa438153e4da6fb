/** What happens to a service besides messages: time, peers, signals, processes. A source runs only while it has a callback. */
import type { ChildProcess } from 'node:child_process';
import type { Client } from '../client/client.ts';
import { deferred } from '../launch/deferred.ts';
import { Timer } from '../launch/timer.ts';
import type { Callbacks } from './callbacks.ts';
import { watchChildren } from './child-endings.ts';
import type { Activity, CallbackName, EndedChild, Service, SignalCallbacks } from './definition.ts';
import { PeerDeltas } from './peer-deltas.ts';
import type { ResolvedSettings } from './settings.ts';
import { watchPids } from './watch-pids.ts';

/** What the sources need of their service. */
export interface EventSourcesPort {
  readonly client: Client;
  settings(): ResolvedSettings;
  readonly handleSignals: boolean;
  readonly nested: boolean;
  isWorker(child: ChildProcess): boolean;
  /** Something happened; `callback`, by name or itself, is for it. Never rejects. */
  happened(activity: Activity, callback: CallbackFor, ...args: readonly unknown[]): Promise<void>;
  /** Ends the service; `by` says what did. */
  end(by: string): void;
}

/** What is called for an event: the callbacks of a name, or a function. */
export type CallbackFor = CallbackName | ((service: Service) => void | Promise<void>) | undefined;

type SignalCallback = SignalCallbacks[NodeJS.Signals];

/** Signals that end a service unless it has a callback for them. */
const endings = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** The sources of one service. */
export class EventSources {
  readonly #port: EventSourcesPort;
  readonly #signals = new Map<NodeJS.Signals, () => void>();
  readonly #stops: (() => void)[] = [];
  #deltas: PeerDeltas | undefined;
  #interval: Timer | undefined;
  #inInterval = false;
  #children: (() => void) | undefined;
  #stopped = false;
  readonly #begun = deferred<void>();

  constructor(port: EventSourcesPort) {
    this.#port = port;
  }

  /** Starts what may not miss anything while the service starts: what it hears of is told when the others begin. */
  start(callbacks: Callbacks): void {
    this.#arrangeChildren(callbacks.has('onPid'));
    const { watchPids: pids } = this.#port.settings();
    if (this.#port.handleSignals)
      for (const signal of endings) if (!this.#signals.has(signal)) this.setSignal(signal, undefined);
    if (pids.length > 0) this.#stops.push(watchPids(pids, (pid) => this.#port.end(`the end of process ${pid}`)));
  }

  /** Starts and stops sources as there are callbacks for them. */
  arrange(callbacks: Callbacks): void {
    if (this.#stopped) return;
    this.#begun.resolve();
    this.#arrangeInterval(callbacks.has('onInterval'));
    this.#arrangeDeltas(callbacks.has('onPeerDelta'));
    this.#arrangeChildren(callbacks.has('onPid'));
  }

  /** Has a signal call `callback`; without one it ends the service, or does what it does by itself. */
  setSignal(signal: NodeJS.Signals, callback: SignalCallback | undefined): void {
    this.#signals.get(signal)?.();
    this.#signals.delete(signal);
    const ends = this.#port.handleSignals && endings.some((each) => each === signal);
    if (this.#stopped || (callback === undefined && !ends)) return;
    const handler = callback === undefined ? this.#withoutCallback(signal) : this.#calling(callback);
    process.on(signal, handler);
    this.#signals.set(signal, () => process.off(signal, handler));
  }

  /** Stops everything but signals: whoever sends one to a service that ends already would otherwise end it in the midst of it. */
  stop(): void {
    this.#stopped = true;
    this.#arrangeInterval(false);
    this.#arrangeDeltas(false);
    this.#arrangeChildren(false);
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Signals do again what they do by themselves. */
  releaseSignals(): void {
    for (const stop of this.#signals.values()) stop();
    this.#signals.clear();
  }

  #calling(callback: NonNullable<SignalCallback>): (signal: NodeJS.Signals) => void {
    return (signal) => void this.#port.happened({ signal }, (service) => callback(signal, service));
  }

  #withoutCallback(signal: NodeJS.Signals): () => void {
    return this.#port.nested && signal === 'SIGINT' ? () => undefined : this.#ending(signal);
  }

  /** The first asks the service to end, the second does not ask. */
  #ending(signal: NodeJS.Signals): () => void {
    let asked = false;
    return () => {
      if (asked) {
        this.#signals.get(signal)?.();
        process.kill(process.pid, signal);
        return;
      }
      asked = true;
      void this.#port.happened({ signal }, undefined).finally(() => this.#port.end(signal));
    };
  }

  #arrangeInterval(wanted: boolean): void {
    if (wanted === (this.#interval !== undefined)) return;
    this.#interval?.clear();
    this.#interval = wanted ? this.#nextInterval() : undefined;
  }

  #nextInterval(): Timer {
    return new Timer(() => {
      this.#interval = this.#nextInterval();
      this.#tick();
    }, this.#port.settings().interval);
  }

  #tick(): void {
    if (this.#inInterval) return;
    this.#inInterval = true;
    void this.#port.happened({ interval: true }, 'onInterval').finally(() => (this.#inInterval = false));
  }

  #arrangeDeltas(wanted: boolean): void {
    if (wanted === (this.#deltas !== undefined)) return;
    this.#deltas?.stop();
    this.#deltas = wanted
      ? new PeerDeltas(this.#port.client, (peerDelta) => this.#port.happened({ peerDelta }, 'onPeerDelta', peerDelta))
      : undefined;
  }

  async #childEnded(endedChild: EndedChild): Promise<void> {
    if (!this.#stopped) await this.#port.happened({ endedChild }, 'onPid', endedChild);
  }

  #arrangeChildren(wanted: boolean): void {
    if (wanted === (this.#children !== undefined)) return;
    this.#children?.();
    this.#children = wanted
      ? watchChildren(
          (child) => this.#port.isWorker(child),
          (endedChild) => void this.#begun.promise.then(() => this.#childEnded(endedChild)),
        )
      : undefined;
  }
}
