/** What an idle client costs: many of them in one process, each waiting for messages. */
import { setTimeout } from 'node:timers/promises';
import { repeat, type Case } from './case.ts';

const clients = 200;

/** Kibibytes in use once the garbage is gone: of the heap with what hangs on it, and of the process. */
export async function kibibytes(): Promise<readonly [heap: number, process: number]> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await setTimeout(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return [(heapUsed + external) / 1024, rss / 1024];
}

export const memory: Case = {
  name: 'memory',
  title: `Memory per idle client, of ${clients} in one process that all wait for messages`,
  metrics: [
    { name: 'heap', unit: 'KiB', better: 'lower', ratio: true },
    { name: 'process', unit: 'KiB', better: 'lower', ratio: true },
  ],
  processors: 'any',
  fits: ({ manyPeers, variant, inProcess }) => manyPeers === true && variant !== true && inProcess !== true,
  near: ({ start, effort }) =>
    repeat(effort.repetitions, async (repetition) => {
      const far = await start();
      await far.join(`first-${repetition}`);
      const [heap, whole] = await far.ask<[number, number]>('measure');
      const names = Array.from({ length: clients }, (_, index) => `far-${repetition}-${index}`);
      await far.join(...names);
      const [heapAfter, wholeAfter] = await far.ask<[number, number]>('measure');
      await far.end();
      return { heap: (heapAfter - heap) / clients, process: (wholeAfter - whole) / clients };
    }),
  far: ({ links }) => {
    const waiting = new Set<string>();
    return {
      joined: () => {
        for (const [peer, link] of links) {
          if (!waiting.has(peer)) link.onMessage(() => undefined);
          waiting.add(peer);
        }
      },
      measure: () => kibibytes(),
    };
  },
};
