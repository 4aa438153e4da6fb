// A test reporter: the usual "spec" output, then every skipped test by name with its reason.
// With IPCM_NO_SKIPS=1 a skip fails the run.
import { relative } from 'node:path';
import { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = [];

  async function* noteSkips(): AsyncGenerator<TestEvent> {
    for await (const event of events) {
      if (event.type === 'test:pass' || event.type === 'test:fail') {
        const { name, file, skip, todo } = event.data;
        const reason = skip ?? todo;
        if (reason !== undefined && reason !== false) {
          const place = file === undefined ? '' : `${relative('.', file)}: `;
          skipped.push(
            `  ${place}${name} (${typeof reason === 'string' && reason !== '' ? reason : 'no reason given'})`,
          );
        }
      }
      yield event;
    }
  }

  for await (const chunk of Readable.from(noteSkips()).compose(new spec())) yield String(chunk);

  yield `\nSkipped tests: ${skipped.length}\n${skipped.map((line) => `${line}\n`).join('')}`;
  if (skipped.length > 0 && process.env['IPCM_NO_SKIPS'] === '1') {
    process.exitCode = 1;
    yield 'IPCM_NO_SKIPS is set: a skipped test fails the run.\n';
  }
}
