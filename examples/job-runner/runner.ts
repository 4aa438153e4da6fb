// A service that has workers do what would keep it from answering, and answers when they are done.
import { defineService, ipcmWorker } from 'ipc-manager/service';

/** What is asked for: how many prime numbers there are up to a limit. */
export interface Job {
  readonly upTo: number;
}

/** What a worker sends when it is done. */
export interface Done {
  readonly id: string;
  readonly primes: number;
}

export default defineService<Job, number | undefined>({
  exposeErrorDetails: true,
  async handleRequest({ upTo }, context) {
    const { id, service } = context;
    // Said at once: what the worker sends is read, however many requests wait.
    context.later();
    const worker = await ipcmWorker(`job-${id}`, new URL('job.ts', import.meta.url), { params: { id, upTo } });
    // A worker that fails has sent nothing: whoever asked shall not wait for ever.
    void worker.ended.then(({ code, signal }) => {
      if (code === 0) return;
      const error = new Error(`the worker ended with ${signal ?? `exit code ${code}`}`);
      // One that failed after it had sent its answer has been heard.
      service.sendError(id, error).catch(() => undefined);
    });
    return undefined;
  },
  async onGeneralMessage({ content }, service) {
    const { id, primes } = content as Done;
    await service.sendResponse(id, primes);
  },
});
