/** The reader of the demo: sends the lines of a file to whichever counter has the least to do. */
import { createReadStream } from 'node:fs';
import type { Client } from '../../index.ts';
import { contents, counterNames, names, textLimit } from './contents.ts';
import { Flow } from './flow.ts';
import { piecesOf } from './pieces.ts';

/** How the reader works. */
export interface ReaderOptions {
  /** Path, or `-` for stdin. */
  readonly file: string;
  readonly counters: number;
  /** Tell the parent how far it is. */
  readonly progress: boolean;
}

/** Milliseconds between reports. */
const reportEvery = 100;

/** Waits for the start, reads all, and resolves when every counter has dealt with everything. */
export async function runReader(client: Client, options: ReaderOptions): Promise<void> {
  const flow = new Flow(client);
  const stop = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const listen = async (): Promise<void> => {
      for await (const { from, content } of contents(client)) {
        if (content.kind === 'done') flow.confirmed(from);
        else if (content.kind === 'stop') stop.abort();
        else if (content.kind === 'start') readAll(client, flow, options, stop.signal).then(resolve, reject);
      }
    };
    listen().catch(reject);
  });
}

async function readAll(client: Client, flow: Flow, options: ReaderOptions, stop: AbortSignal): Promise<void> {
  const counters = counterNames(options.counters);
  const progress = { bytes: 0, lines: 0 };
  let reported = performance.now();
  let counter: string | undefined;
  for await (const piece of piecesOf(source(options.file, stop), textLimit(client), progress)) {
    // A word that is cut stays with one counter.
    counter ??= await flow.leastBusy(counters);
    await flow.send(counter, piece);
    if (!piece.more) counter = undefined;
    if (!options.progress || performance.now() - reported < reportEvery) continue;
    reported = performance.now();
    await client.sendMessage(names.parent, { kind: 'progress', ...progress });
  }
  await flow.settled();
  await client.sendMessage(names.parent, { kind: 'read', ...progress });
  for (const name of counters) await client.sendMessage(name, { kind: 'end' });
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
