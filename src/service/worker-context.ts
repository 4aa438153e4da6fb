/** What a worker knows. */

/** The argument of a worker's function. */
export interface WorkerContext<Params = unknown> {
  /** Its name. */
  readonly name: string;
  /** Name of the service that it is part of. */
  readonly service: string;
  /** Info of the bus, to connect to it under a name of its own. */
  readonly ipcmInfo: string;
  readonly params: Params;
  /** Aborts on SIGTERM, and when the service has gone: the worker has the service's grace to finish. */
  readonly signal: AbortSignal;
}
