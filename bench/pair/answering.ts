/** Joins peers and calls a case's far side, wherever that is. */
import type { Case } from '../cases/case.ts';
import type { Contender, Link } from '../contenders/contender.ts';

interface JoinRequest {
  readonly address: string;
  readonly peers: readonly string[];
}

export function answering(benchmark: Case, contender: Contender): (ask: string, argument: unknown) => Promise<unknown> {
  const links = new Map<string, Link>();
  const answers = benchmark.far({ contender, links });
  return async (ask, argument) => {
    if (ask === 'join') {
      const { address, peers } = argument as JoinRequest;
      for (const peer of peers) {
        if (benchmark.serves === true && contender.serve !== undefined) await contender.serve(address, peer);
        else links.set(peer, await contender.join(address, peer));
      }
      return answers['joined']?.(0);
    }
    const answer = answers[ask];
    if (answer === undefined) throw new Error(`${benchmark.name} has no answer to ${ask}`);
    return answer(Number(argument));
  };
}
