/** Requests and their answers: one after the other, and many in flight. The baselines match answers to requests by a number. */
import { contentOf, type Ask, type Contender, type Content, type Link } from '../contenders/contender.ts';
import { micros, repeat, type Case } from './case.ts';

const inFlight = 64;

/** What any two ends of a conversation can do: the other end sends everything back, in order. */
function askOver(link: Link): Ask {
  const waiting: ((content: Content) => void)[] = [];
  link.onMessage((content) => waiting.shift()?.(content));
  return async (content) => {
    const answer = new Promise<Content>((resolve) => waiting.push(resolve));
    await link.send(content);
    return answer;
  };
}

/** True for the bus. */
export function hasServices(contender: Contender): boolean {
  return contender.ask !== undefined;
}

/** Asks for a while, `many` at a time; resolves to answers a second. */
async function askFor(ask: Ask, many: number, milliseconds: number): Promise<number> {
  const begin = micros();
  const end = begin + milliseconds * 1000;
  let answers = 0;
  const asker = async (): Promise<void> => {
    while (micros() < end) {
      const content = contentOf(answers++);
      const { data } = (await ask(content)) as Content;
      if (data !== content.data) throw new Error(`the answer to ${content.data.slice(0, 8)} is ${data.slice(0, 8)}`);
    }
  };
  await Promise.all(Array.from({ length: many }, asker));
  return answers / ((micros() - begin) / 1e6);
}

function requests(name: string, title: string, processors: Case['processors']): Case {
  return {
    name,
    title,
    metrics: [
      { name: 'awaited', unit: '/s', better: 'higher', ratio: true },
      { name: `${inFlight} in flight`, unit: '/s', better: 'higher', ratio: true },
    ],
    processors,
    serves: true,
    fits: (contender) => contender.inProcess !== true && (hasServices(contender) || contender.name === 'net'),
    near: async ({ contender, hub, start, effort }) => {
      const far = await start();
      await far.join('far');
      const ask = (await contender.ask?.(hub.address, 'far')) ?? askOver(await far.link('far'));
      await askFor(ask, 1, effort.warmUp);
      await askFor(ask, inFlight, effort.warmUp);
      return repeat(effort.repetitions, async () => ({
        awaited: await askFor(ask, 1, effort.duration),
        [`${inFlight} in flight`]: await askFor(ask, inFlight, effort.duration),
      }));
    },
    far: ({ links }) => ({
      joined: () => {
        const link = links.get('far');
        link?.onMessage((content) => void link.send(content));
      },
    }),
  };
}

export const requestCases: readonly Case[] = [
  requests('requests', 'Requests to a service, a processor for each process', 'two'),
  requests('requests-pinned', 'Requests to a service, both processes on one processor', 'one'),
];
