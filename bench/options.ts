/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import type { Effort } from './cases/case.ts';
import { cases } from './cases/index.ts';
import { contenders } from './contenders/index.ts';

const full: Effort = {
  rounds: 2,
  repetitions: 2,
  warmUp: 600,
  duration: 600,
  messages: 200_000,
  wakeUps: 200,
  backlog: 100_000,
  peers: 200,
  crowd: 1000,
  timeout: 30_000,
};

const quick: Effort = {
  rounds: 1,
  repetitions: 1,
  warmUp: 100,
  duration: 200,
  messages: 50_000,
  wakeUps: 60,
  backlog: 10_000,
  peers: 20,
  crowd: 100,
  timeout: 5000,
};

const help = `Usage: npm run bench -- [--only NAME...] [--quick] [--store] [--profile DIR]

  --only NAME...  only these contenders and cases (net, which all ratios refer to, always runs)
  --quick         one short repetition of each, under a minute
  --store         write bench/results/<date>-<processor>.json and latest.md
  --profile DIR   write V8 CPU profiles of all processes to DIR

Contenders: ${contenders.map(({ name }) => name).join(', ')}
Cases:      ${cases.map(({ name }) => name).join(', ')}`;

export interface Options {
  readonly effort: Effort;
  readonly quick: boolean;
  readonly store: boolean;
  readonly profile: string | undefined;
  /** True where a contender or a case of that name takes part. */
  readonly wants: (contender: string, benchmark: string) => boolean;
}

/** Reads the command line; ends the process after `--help`, and with status 2 where it is wrong. */
export function readOptions(args: readonly string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean', default: false },
        store: { type: 'boolean', default: false },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    if (positionals.length > 0 && values.only === undefined) throw new Error(`Unexpected argument '${positionals[0]}'`);
    const { quick: isQuick, store, profile } = values;
    return {
      effort: isQuick ? quick : full,
      quick: isQuick,
      store,
      profile,
      wants: chooser([...(values.only ?? []), ...positionals]),
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exit(2);
  }
}

function chooser(names: readonly string[]): Options['wants'] {
  const isAsked = (known: string): boolean => names.some((name) => name.toLowerCase() === known.toLowerCase());
  const known = [...contenders, ...cases].map(({ name }) => name);
  const unknown = names.find((name) => !known.some((each) => each.toLowerCase() === name.toLowerCase()));
  if (unknown !== undefined) throw new Error(`There is no contender and no case '${unknown}'`);
  const someContenders = contenders.some(({ name }) => isAsked(name));
  const someCases = cases.some(({ name }) => isAsked(name));
  return (contender, benchmark) => (!someContenders || isAsked(contender)) && (!someCases || isAsked(benchmark));
}
