/** How long an idle receiver takes to notice: from the end of the send in one process to the handler in the other. */
import { setTimeout } from 'node:timers/promises';
import { check, contentOf } from '../contenders/contender.ts';
import { micros, percentile, repeat, type Case } from './case.ts';

/** Milliseconds between messages: long enough for both to have gone to sleep. */
const pause = 5;

export const wakeUp: Case = {
  name: 'wake-up',
  title: `Wake-up: send resolved to handler called, a message each ${pause} ms, a processor for each process`,
  metrics: [
    { name: 'p50', unit: 'µs', better: 'lower', ratio: true },
    { name: 'p99', unit: 'µs', better: 'lower' },
    { name: 'max', unit: 'µs', better: 'lower' },
  ],
  processors: 'two',
  fits: (contender) => contender.inProcess !== true,
  near: async ({ start, effort }) => {
    const far = await start();
    await far.join('far');
    const link = await far.link('far');
    const run = async (count: number): Promise<number[]> => {
      const sent: number[] = [];
      for (let number = 0; number < count; number++) {
        await setTimeout(pause);
        await link.send(contentOf(number));
        sent.push(micros());
      }
      const arrived = await far.ask<number[]>('arrived', count);
      return sent.map((at, number) => (arrived[number] ?? Number.NaN) - at).sort((a, b) => a - b);
    };
    await run(20);
    return repeat(effort.repetitions, async () => {
      const delays = await run(effort.wakeUps);
      return { p50: percentile(delays, 0.5), p99: percentile(delays, 0.99), max: percentile(delays, 1) };
    });
  },
  far: ({ links }) => {
    let arrived: number[] = [];
    let look = (): void => undefined;
    return {
      joined: () =>
        links.get('far')?.onMessage((content) => {
          const now = micros();
          check(content, arrived.length);
          arrived.push(now);
          look();
        }),
      arrived: async (count) => {
        if (arrived.length < count) {
          await new Promise<void>((resolve) => (look = () => void (arrived.length === count && resolve())));
        }
        const times = arrived;
        arrived = [];
        return times;
      },
    };
  },
};
