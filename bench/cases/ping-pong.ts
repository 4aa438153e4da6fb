/** Strict ping-pong: the next message goes out when the answer to the last one is there. */
import { check, contentOf, type Content, type Link } from '../contenders/contender.ts';
import { micros, percentile, repeat, type Case } from './case.ts';

/** Plays for a while; resolves to the times of the round trips in microseconds. */
function play(
  link: Link,
  handle: { take(content: Content): void },
  duration: number,
  limit: number,
): Promise<number[]> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const end = micros() + duration * 1000;
    let begin = micros();
    handle.take = (content) => {
      const now = micros();
      check(content, times.length);
      times.push(now - begin);
      if (now >= end || times.length >= limit) return resolve(times);
      begin = micros();
      void link.send(contentOf(times.length));
    };
    void link.send(contentOf(0));
  });
}

function pingPong(name: string, title: string, processors: Case['processors']): Case {
  return {
    name,
    title,
    metrics: [
      { name: 'round trips', unit: '/s', better: 'higher', ratio: true },
      { name: 'p50', unit: 'µs', better: 'lower' },
      { name: 'p99', unit: 'µs', better: 'lower' },
    ],
    processors,
    fits: (contender) => contender.inProcess !== true || processors === 'one',
    near: async ({ start, effort }) => {
      const far = await start();
      await far.join('far');
      const link = await far.link('far');
      const handle = { take: (_content: Content): void => undefined };
      link.onMessage((content) => handle.take(content));
      await play(link, handle, effort.warmUp, effort.messages);
      return repeat(effort.repetitions, async () => {
        const begin = micros();
        const times = await play(link, handle, effort.duration, effort.messages);
        const seconds = (micros() - begin) / 1e6;
        times.sort((a, b) => a - b);
        return { 'round trips': times.length / seconds, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
      });
    },
    far: ({ links }) => ({
      joined: () => {
        const link = links.get('far');
        link?.onMessage((content) => void link.send(content));
      },
    }),
  };
}

export const pingPongCases: readonly Case[] = [
  pingPong('ping-pong', 'Ping-pong, a processor for each process', 'two'),
  pingPong('ping-pong-pinned', 'Ping-pong, both processes on one processor', 'one'),
];
