/** What a started process does, by its role. */
import { IpcError } from '../errors.ts';
import type { Assignment } from '../launch/assignment.ts';
import { explainInline } from '../launch/source.ts';
import type { StarterWatch } from '../launch/starter.ts';
import { loadFunction, loadService } from './code.ts';
import { endOnCrash } from './crash.ts';
import { setCurrentService } from './current.ts';
import { removeIfOrphaned } from './orphaned-store.ts';
import type { ServeOptions } from './serve.ts';
import { startService } from './serve.ts';
import type { WorkerContext } from './worker-context.ts';

/** Who started this process, as long as it matters: its signal aborts when that has gone. */
type Starter = Pick<StarterWatch, 'signal' | 'grace'> | undefined;

/** Does what a process was started for, to its end. Resolves to why it was never ready, where it was ended before that. */
export async function runRole(
  assignment: Assignment,
  starter: Starter,
  ready: () => void,
): Promise<IpcError | undefined | void> {
  switch (assignment.role) {
    case 'service':
      return runService(assignment, starter, ready);
    case 'worker':
      return runWorker(assignment, starter?.signal, ready);
    default: {
      const { runKeeper } = await import('./keeper.ts');
      return runKeeper(assignment, starter?.signal, ready);
    }
  }
}

/** Runs a service to its end. */
async function runService(
  { name, info, code, params, settings }: Assignment,
  starter: Starter,
  ready: () => void,
): Promise<IpcError | undefined> {
  if (code === undefined) throw new TypeError('a service without code');
  setCurrentService(undefined);
  const body = await loadService(code);
  if (typeof body !== 'function') await body.postFork?.(params);
  const options: ServeOptions = { ...settings, params, handleSignals: true };
  const gone = starter?.signal;
  const service = await startService(name, info, body, options, {
    nested: settings['nested'] === true,
    made(each) {
      setCurrentService(each);
      process.once('exit', () => each.closeSync());
      endOnCrash(each);
      if (gone?.aborted === true) each.end();
      else gone?.addEventListener('abort', () => each.end(), { once: true });
    },
    settled({ longestEnd }) {
      if (starter !== undefined) starter.grace = longestEnd;
    },
  });
  if (service.wasReady) ready();
  try {
    await holding(service.run());
  } finally {
    if (gone?.aborted === true) await removeIfOrphaned(info);
  }
  if (service.wasReady) return undefined;
  return new IpcError('IPCM_SERVICE_FAILED', `it was ended during its start, by ${service.endedBy ?? 'somebody'}`);
}

/** Runs a worker to its end. */
async function runWorker(
  { name, info, code, params, settings }: Assignment,
  starter: AbortSignal | undefined,
  ready: () => void,
): Promise<void> {
  if (code === undefined) throw new TypeError('a worker without code');
  const controller = new AbortController();
  const end = (): void => controller.abort();
  process.on('SIGTERM', end);
  // Ctrl-C in a terminal reaches the whole group: it is the service that decides what becomes of its workers.
  process.on('SIGINT', () => undefined);
  if (starter?.aborted === true) end();
  else starter?.addEventListener('abort', end, { once: true });
  const work = (await loadFunction(code)) as (context: WorkerContext) => unknown;
  ready();
  try {
    await holding(
      work({ name, service: String(settings['service']), ipcmInfo: info, params, signal: controller.signal }),
    );
  } catch (error) {
    // What it was told to stop with is no failure.
    if (!controller.signal.aborted || error !== controller.signal.reason) throw explainInline(error);
  }
}

/** Keeps the process until the work is done, also where it waits for what would not keep it, such as an AbortSignal. */
async function holding(work: unknown): Promise<void> {
  const timer = setInterval(() => undefined, 2 ** 30);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
}
