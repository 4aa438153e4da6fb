/** The first process of a case: opens the meeting place, starts the others, and reports the figures. */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Far } from '../cases/case.ts';
import { caseNamed } from '../cases/index.ts';
import type { Hub } from '../contenders/contender.ts';
import { contenderNamed } from '../contenders/index.ts';
import { askOver } from './ask.ts';
import { explain, jobOf, takeProcessor, type Report } from './job.ts';
import { farHere } from './local-far.ts';

const job = jobOf(process.argv[2]);
const contender = contenderNamed(job.contender);
const benchmark = caseNamed(job.case);

// We lead the process group of all that we start; without the one who started us, nobody wants the figures.
process.on('disconnect', () => {
  rmSync(job.scratch, { recursive: true, force: true });
  process.kill(-process.pid, 'SIGKILL');
});

let failed: (error: Error) => void;
const failure = new Promise<never>((_, reject) => (failed = reject));

function startFar(hub: Hub): Far {
  const child: ChildProcess = fork(join(import.meta.dirname, 'far.ts'), process.argv.slice(2));
  let isEnding = false;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      if (!isEnding) failed(new Error(`the other process ended with ${signal ?? code}`));
      resolve();
    });
  });
  const ask = askOver(child);
  return {
    join: async (...peers) => void (await ask('join', { address: hub.address, peers })),
    link: (peer) => hub.link(peer, child),
    ask: async <T>(call: string, argument = 0) => (await ask(call, argument)) as T,
    end: async () => {
      isEnding = true;
      child.send({ ask: 'end', number: 0, argument: 0 });
      await gone;
    },
  };
}

async function run(): Promise<Report> {
  takeProcessor(benchmark.processors, 0);
  const hub = await contender.open(job.scratch);
  const fars: Far[] = [];
  const start = (): Promise<Far> => {
    const far = contender.inProcess === true ? farHere(benchmark, contender, hub) : startFar(hub);
    fars.push(far);
    return Promise.resolve(far);
  };
  const figures = await Promise.race([benchmark.near({ contender, hub, effort: job.effort, start }), failure]);
  await Promise.all(fars.map((far) => far.end()));
  return { figures };
}

const report = await run().catch((error: unknown): Report => ({ failure: explain(error) }));
process.send?.(report, () => process.exit());
