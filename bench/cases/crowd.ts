/**
 * A thousand clients on one bus, in a few processes: what it takes to connect them, to ask who is there, to send to all of
 * them, and what memory the sender needs for each afterwards, with whatever it keeps open to reach it.
 */
import { contentOf } from '../contenders/contender.ts';
import { micros, repeat, type Case, type Far } from './case.ts';
import { kibibytes } from './memory.ts';

const processes = 4;

export const crowd: Case = {
  name: 'crowd',
  title: 'Many clients on one bus (1,000, with --quick 100), per client',
  metrics: [
    { name: 'connect', unit: 'µs', better: 'lower' },
    { name: 'peers()', unit: 'µs', better: 'lower' },
    { name: 'first broadcast', unit: 'µs', better: 'lower' },
    { name: 'broadcast', unit: 'µs', better: 'lower' },
    { name: 'heap of the sender', unit: 'KiB', better: 'lower' },
    { name: 'memory of the sender', unit: 'KiB', better: 'lower' },
  ],
  processors: 'any',
  fits: ({ manyPeers, variant, inProcess, name }) =>
    manyPeers === true && variant !== true && inProcess !== true && name !== 'net',
  near: ({ hub, start, effort }) =>
    repeat(1, async () => {
      const peers = effort.crowd;
      const fars: Far[] = [];
      for (let index = 0; index < processes; index++) fars.push(await start());
      const [heap, whole] = await kibibytes();
      let begin = micros();
      const join = (far: Far, index: number): Promise<void> =>
        far.join(...Array.from({ length: peers / processes }, (_, peer) => `far-${index}-${peer}`));
      await Promise.all(fars.map(join));
      const connect = micros() - begin;
      begin = micros();
      const found = (await hub.peers?.()) ?? 0;
      const asked = micros() - begin;
      if (found !== peers) throw new Error(`${found} of ${peers} peers are there`);
      const broadcast = async (number: number): Promise<number> => {
        const before = micros();
        await hub.broadcast?.(contentOf(number), peers);
        return micros() - before;
      };
      const first = await broadcast(0);
      const times = [await broadcast(1), await broadcast(2), await broadcast(3)];
      const [heapAfter, wholeAfter] = await kibibytes();
      return {
        connect: connect / peers,
        'peers()': asked / peers,
        'first broadcast': first / peers,
        broadcast: Math.min(...times) / peers,
        'heap of the sender': (heapAfter - heap) / peers,
        'memory of the sender': (wholeAfter - whole) / peers,
      };
    }),
  far: ({ links }) => ({
    joined: () => {
      for (const link of links.values()) link.onMessage(() => undefined);
    },
  }),
};
