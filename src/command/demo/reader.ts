/** The reader of the demo: sends the lines of a file to whichever counter has the least to do. */
import { createReadStream } from 'node:fs';
import type { Service, ServiceDefinition } from '../../service/index.ts';
import {
  counterNames,
  textLimit,
  type CounterRequest,
  type Progress,
  type ReaderRequest,
  type ReadResult,
} from './contents.ts';
import { Flow } from './flow.ts';
import { piecesOf } from './pieces.ts';

/** How the reader works. */
export interface ReaderOptions {
  /** Path, or `-` for stdin. */
  readonly file: string;
  readonly counters: number;
}

/** The reader's service. */
export function readerService(options: ReaderOptions): ServiceDefinition<ReaderRequest, Progress | ReadResult> {
  const stop = new AbortController();
  const progress = { bytes: 0, lines: 0 };
  return {
    exposeErrorDetails: true,
    async handleRequest({ kind }, { service }) {
      if (kind === 'read') {
        const counted = await readAll(service, options, stop.signal, progress);
        return { ...progress, counted };
      }
      if (kind === 'stop') stop.abort();
      return progress;
    },
  };
}

/** Has everything counted, and resolves to the lines that were. */
async function readAll(
  service: Service,
  options: ReaderOptions,
  stop: AbortSignal,
  progress: { bytes: number; lines: number },
): Promise<number> {
  const flow = new Flow<CounterRequest>((to, request) => service.peer(to).request(request));
  const counters = counterNames(options.counters);
  let counter: string | undefined;
  for await (const piece of piecesOf(source(options.file, stop), textLimit(service.client), progress)) {
    // A word that is cut stays with one counter.
    counter ??= await flow.leastBusy(counters);
    await flow.send(counter, piece);
    if (!piece.more) counter = undefined;
  }
  await flow.settled();
  const end = (name: string): Promise<number> => service.peer<CounterRequest, number>(name).request({ kind: 'end' });
  const lines = await Promise.all(counters.map(end));
  return lines.reduce((a, b) => a + b, 0);
}

/** The bytes of the file until its end, or until `stop` aborts. */
async function* source(file: string, stop: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const end = (): void => void stream.destroy();
  if (stop.aborted) return;
  stop.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    // A stream that we closed ourselves ends before its time.
    if (!stop.aborted) throw error;
  }
}
