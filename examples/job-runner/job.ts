// A worker: a process that runs one function, and is part of the service that started it.
import { ipcmConnect } from 'ipc-manager';
import type { WorkerContext } from 'ipc-manager/service';
import type { Done, Job } from './runner.ts';

/** Counts, then tells its service by a message. */
export default async function job({ name, service, ipcmInfo, params }: WorkerContext<Job & { id: string }>) {
  if (params.upTo < 0) throw new RangeError('there are no numbers up to that');
  const client = await ipcmConnect(name, ipcmInfo);
  const done: Done = { id: params.id, primes: countPrimes(params.upTo) };
  await client.sendMessage(service, done);
  await client.disconnect();
}

function countPrimes(upTo: number): number {
  const isComposite = new Uint8Array(upTo + 1);
  let count = 0;
  for (let n = 2; n <= upTo; n++) {
    if (isComposite[n] === 1) continue;
    count++;
    for (let multiple = n * n; multiple <= upTo; multiple += n) isComposite[multiple] = 1;
  }
  return count;
}
