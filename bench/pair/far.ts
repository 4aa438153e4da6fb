/** Another process of a case: joins, and answers what the first one asks. */
import { caseNamed } from '../cases/index.ts';
import { contenderNamed } from '../contenders/index.ts';
import { answering } from './answering.ts';
import { explain, jobOf, takeProcessor, type Answer, type Question } from './job.ts';

const job = jobOf(process.argv[2]);
const benchmark = caseNamed(job.case);
takeProcessor(benchmark.processors, 1);
const answer = answering(benchmark, contenderNamed(job.contender));

process.on('disconnect', () => process.exit());
process.on('message', (message: Question | object) => {
  if (!('ask' in message)) return;
  const { ask, argument, number } = message;
  if (ask === 'end') process.exit();
  answer(ask, argument).then(
    (value) => reply({ answer: number, value }),
    (error: unknown) => reply({ answer: number, failure: explain(error) }),
  );
});

function reply(message: Answer): void {
  process.send?.(message);
}
