/** A broadcast: until it is sent, and until every peer has it. The peers live in a few processes. */
import { check, contentOf, type Content } from '../contenders/contender.ts';
import { micros, percentile, repeat, type Case, type Far } from './case.ts';

const processes = 4;

function broadcast(peers: number): Case {
  const rounds = peers > 50 ? 10 : 30;
  return {
    name: `broadcast-${peers}`,
    title: `Broadcast to ${peers} peers in ${Math.min(processes, peers)} processes, per peer (median of ${rounds})`,
    metrics: [
      { name: 'sent', unit: 'µs', better: 'lower', ratio: true },
      { name: 'all have it', unit: 'µs', better: 'lower', ratio: true },
    ],
    processors: 'any',
    fits: ({ manyPeers, variant }, effort) => manyPeers === true && variant !== true && peers <= effort.peers,
    near: async ({ hub, start, effort }) => {
      const fars: Far[] = [];
      const names = Array.from({ length: peers }, (_, index) => `far-${index}`);
      for (let index = 0; index < Math.min(processes, peers); index++) {
        const far = await start();
        await far.join(...names.filter((_, peer) => peer % processes === index));
        fars.push(far);
      }
      let number = 0;
      const once = async (): Promise<readonly [sent: number, received: number]> => {
        const begin = micros();
        await hub.broadcast?.(contentOf(number), peers);
        const sent = micros();
        const last = await Promise.all(fars.map((far) => far.ask<number>('complete', number)));
        number++;
        return [(sent - begin) / peers, (Math.max(...last) - begin) / peers];
      };
      for (let round = 0; round < rounds / 2; round++) await once();
      return repeat(effort.repetitions, async () => {
        const times: (readonly [number, number])[] = [];
        for (let round = 0; round < rounds; round++) times.push(await once());
        const median = (pick: 0 | 1): number =>
          percentile(
            times.map((time) => time[pick]).sort((a, b) => a - b),
            0.5,
          );
        return { sent: median(0), 'all have it': median(1) };
      });
    },
    far: ({ links }) => {
      const seen = new Map<string, number>();
      let due = 0;
      let missing = 0;
      let last = 0;
      let look = (): void => undefined;
      const take = (peer: string, content: Content): void => {
        const number = (seen.get(peer) ?? -1) + 1;
        check(content, number);
        seen.set(peer, number);
        last = micros();
        if (number === due && --missing === 0) look();
      };
      return {
        joined: () => {
          missing = links.size;
          for (const [peer, link] of links) link.onMessage((content) => take(peer, content));
        },
        complete: async () => {
          if (missing > 0) await new Promise<void>((resolve) => (look = resolve));
          due++;
          missing = links.size;
          return last;
        },
      };
    },
  };
}

export const broadcastCases: readonly Case[] = [2, 20, 200].map(broadcast);
