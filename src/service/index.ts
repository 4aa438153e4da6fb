/** Services and workers: processes that answer requests, start others, and go away cleanly. */
export type { ServiceChildren, ServiceWorker } from './children.ts';
export { currentService, insideService } from './current.ts';
export { defineService, type DefinedService } from './define.ts';
export type * from './definition.ts';
export { ServiceHandle, type StopOptions } from './handle.ts';
export type { ServiceCounts, ServiceInfo } from './info.ts';
export { ServicePeer, type SendRequestOptions } from './peer.ts';
export type { RequestOptions, ResponseCallback, Settled } from './requests.ts';
export type { SchemaResult, StandardSchema } from './schema.ts';
export { ipcmServe, type RunningService, type ServeOptions, type ServiceBody } from './serve.ts';
export { ipcmServeModule } from './serve-module.ts';
export { ipcmService, ipcmServiceHandle, type ServiceInput, type ServiceOptions } from './start.ts';
export { ipcmSupervise } from './supervise.ts';
export { Supervisor, type SupervisedState } from './supervisor.ts';
export type {
  SupervisedExit,
  SupervisedOptions,
  SupervisedService,
  SupervisorEvents,
  SupervisorOptions,
  SupervisorRestart,
  SupervisorStrategy,
} from './supervisor-options.ts';
export { ipcmWorker, type WorkerInput, type WorkerOptions } from './worker.ts';
export type { WorkerContext } from './worker-context.ts';
export type { Ending } from '../launch/launched.ts';
export { ipcmSpares, type Spares } from '../launch/spares.ts';
export type { LaunchOptions, LaunchPlan, OutputTarget } from '../launch/options.ts';
