/** What a service knows about itself. */

/** Counts since the start of a service. */
export interface ServiceCounts {
  /** Requests that have come in. */
  readonly requests: number;
  /** Handlers and callbacks that threw. */
  readonly errors: number;
  /** Requests in hand. */
  readonly open: number;
}

/** What a service says about itself, by itself: see `ServicePeer.info`. */
export interface ServiceInfo extends ServiceCounts {
  readonly name: string;
  readonly pid: number;
  /** When it started, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** Milliseconds since then, by a clock that nobody sets. */
  readonly uptime: number;
  readonly state: 'starting' | 'running' | 'ending' | 'ended';
  /** Its workers that run. */
  readonly workers: readonly { readonly name: string; readonly pid: number }[];
  /** Version of Node, such as `v24.1.0`. */
  readonly node: string;
}
