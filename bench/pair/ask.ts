/** Questions to another process over its channel. */
import type { ChildProcess } from 'node:child_process';
import type { Answer, Question } from './job.ts';

interface Open {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export function askOver(child: ChildProcess): (ask: string, argument: unknown) => Promise<unknown> {
  const open = new Map<number, Open>();
  let number = 0;
  child.on('message', (message) => {
    if (typeof message !== 'object' || !('answer' in message)) return;
    const { answer, value, failure } = message as Answer;
    const question = open.get(answer);
    open.delete(answer);
    if (failure === undefined) question?.resolve(value);
    else question?.reject(new Error(failure));
  });
  return (ask, argument) =>
    new Promise((resolve, reject) => {
      const question: Question = { ask, number: ++number, argument };
      open.set(number, { resolve, reject });
      child.send(question);
    });
}
