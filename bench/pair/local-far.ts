/** The far side of a case in the first process itself: for what does not reach beyond one process. */
import type { Case, Far } from '../cases/case.ts';
import type { Contender, Hub } from '../contenders/contender.ts';
import { answering } from './answering.ts';

export function farHere(benchmark: Case, contender: Contender, hub: Hub): Far {
  const answer = answering(benchmark, contender);
  return {
    join: async (...peers) => void (await answer('join', { address: hub.address, peers })),
    link: (peer) => hub.link(peer, undefined),
    ask: async <T>(call: string, argument = 0) => (await answer(call, argument)) as T,
    end: () => Promise.resolve(),
  };
}
