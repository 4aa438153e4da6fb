/** Reading what piled up while nobody read: the cost per message must not grow with the size of the pile. */
import { check, contentOf, type Link } from '../contenders/contender.ts';
import { micros, repeat, type Case, type NearStage } from './case.ts';

const sizes = new Map([
  ['1,000', 1000],
  ['10,000', 10_000],
  ['100,000', 100_000],
]);
const burst = 256;

async function fill(link: Link, size: number): Promise<void> {
  for (let sent = 0; sent < size;) {
    let last: Promise<void> | undefined;
    for (const stop = Math.min(size, sent + burst); sent < stop; sent++) last = link.send(contentOf(sent)) ?? last;
    await last;
  }
}

/** Microseconds per message to read a backlog of that size, in a process of its own. */
async function readOnce({ start }: NearStage, size: number, peer: string): Promise<number> {
  const far = await start();
  await far.join(peer);
  await fill(await far.link(peer), size);
  const time = await far.ask<number>('read', size);
  await far.end();
  return time / size;
}

export const backlog: Case = {
  name: 'backlog',
  title: 'Reading a backlog, microseconds per message',
  metrics: [...sizes.keys()].map((name) => ({ name, unit: 'µs', better: 'lower' })),
  processors: 'any',
  fits: (contender) => contender.stores === true,
  near: async (stage) => {
    const { contender, effort } = stage;
    const figures: Record<string, number[]> = {};
    for (const [name, size] of sizes) {
      // On a disk it is the making of so many files that takes all the time.
      if (size > effort.backlog / (contender.variant === true ? 10 : 1)) break;
      // The largest takes longest and varies least.
      const repetitions = size > 10_000 ? Math.min(2, effort.repetitions) : effort.repetitions;
      const read = await repeat(repetitions, async (repetition) => ({
        [name]: await readOnce(stage, size, `far-${size}-${repetition}`),
      }));
      Object.assign(figures, read);
    }
    return figures;
  },
  far: ({ links }) => ({
    read: async (size) => {
      const [link] = links.values();
      const begin = micros();
      let count = 0;
      while (count < size) {
        const contents = (await link?.read?.()) ?? [];
        if (contents.length === 0) throw new Error(`only ${count} of ${size} messages were there`);
        for (const content of contents) {
          check(content, count);
          count++;
        }
      }
      return micros() - begin;
    },
  }),
};
