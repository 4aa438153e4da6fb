/** One sender, one receiver: messages a second, first to last at the receiver, and processor time per message. */
import { setImmediate } from 'node:timers/promises';
import { contentOf, usualSize, type Link } from '../contenders/contender.ts';
import { repeat, type Case } from './case.ts';
import { Counter, cpuTime, type Received } from './counter.ts';

type Send = (link: Link, duration: number, limit: number) => Promise<number>;

/** As many sends per turn of the event loop, of which only the last is waited for: it is sent when all before it are. */
const burst = 256;

const kib64 = 64 * 1024;
const mib = 1024 * 1024;

function inBursts(burst: number, size: number): Send {
  return async (link, duration, limit) => {
    const end = performance.now() + duration;
    let sent = 0;
    while (sent < limit && performance.now() < end) {
      let last: Promise<void> | undefined;
      for (const stop = sent + burst; sent < stop; sent++) last = link.send(contentOf(sent, size)) ?? last;
      await last;
      await setImmediate();
    }
    return sent;
  };
}

async function oneByOne(link: Link, duration: number, limit: number): Promise<number> {
  const end = performance.now() + duration;
  let sent = 0;
  for (; sent < limit && performance.now() < end; sent++) await link.send(contentOf(sent));
  return sent;
}

function oneWay(name: string, title: string, send: Send, size: number = usualSize): Case {
  return {
    name,
    title,
    metrics: [
      { name: 'messages', unit: '/s', better: 'higher', ratio: true },
      { name: 'sender CPU', unit: 'µs', better: 'lower' },
      { name: 'receiver CPU', unit: 'µs', better: 'lower' },
    ],
    processors: 'any',
    // Large messages show what moving bytes costs, which neither another serializer nor a slow disk tells better.
    fits: ({ largest = Infinity, variant }) => size <= largest && (size === usualSize || variant !== true),
    near: async ({ start, effort }) => {
      const far = await start();
      await far.join('far');
      const link = await far.link('far');
      const once = async (duration: number): Promise<Record<string, number>> => {
        const begin = cpuTime();
        const count = await send(link, duration, effort.messages);
        const sender = (cpuTime() - begin) / count;
        const { rate, cpu } = await far.ask<Received>('finish', count);
        return { messages: rate, 'sender CPU': sender, 'receiver CPU': cpu / count };
      };
      await once(effort.warmUp);
      return repeat(effort.repetitions, () => once(effort.duration));
    },
    far: ({ links }) => {
      const counter = new Counter(size);
      return {
        joined: () => links.get('far')?.onMessage((content) => counter.take(content)),
        finish: (count) => counter.finish(count),
      };
    },
  };
}

export const oneWayCases: readonly Case[] = [
  oneWay('one-way', `One way, ${burst} messages per turn of the event loop`, inBursts(burst, usualSize)),
  oneWay('one-way-awaited', 'One way, each send awaited before the next', oneByOne),
  oneWay(
    'one-way-64k',
    'One way, 64 KiB of data in each message, 16 per turn of the event loop',
    inBursts(16, kib64),
    kib64,
  ),
  oneWay('one-way-1m', 'One way, 1 MiB of data in each message, 2 per turn of the event loop', inBursts(2, mib), mib),
];
