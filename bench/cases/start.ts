/** From asking for a service to its first answer, against a bare fork to its first message. As built, since nobody runs the sources. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type * as Library from '../../src/index.ts';
import { micros, repeat, type Case } from './case.ts';
import { hasServices } from './requests.ts';

const built = join(import.meta.dirname, '../../dist/index.js');
const folder = join(import.meta.dirname, '../contenders');

async function startFork(): Promise<number> {
  const begin = micros();
  const child = fork(join(folder, 'forked.mjs'));
  await once(child, 'message');
  const time = micros() - begin;
  child.send('end');
  await once(child, 'exit');
  return time / 1000;
}

const library = async (): Promise<typeof Library> => (await import(pathToFileURL(built).href)) as typeof Library;

async function startService(protocol: string): Promise<number> {
  const { ipcmService } = await library();
  const begin = micros();
  const service = pathToFileURL(join(folder, 'echo.mjs'));
  await using handle = await ipcmService('echo', service, { spawn: { protocol, serializer: 'JSON' } });
  await handle.request(1);
  return (micros() - begin) / 1000;
}

export const start: Case = {
  name: 'start',
  title: 'Start: from ipcmService to the first answer; net stands for a bare fork to its first message',
  metrics: [
    { name: 'start', unit: 'ms', better: 'lower', ratio: true },
    { name: 'with a spare', unit: 'ms', better: 'lower', ratio: true },
  ],
  processors: 'any',
  fits: (contender) => {
    const { name, variant, inProcess } = contender;
    return existsSync(built) && (name === 'net' || (hasServices(contender) && variant !== true && inProcess !== true));
  },
  near: async ({ contender, effort }) => {
    const once = (): Promise<number> => (contender.name === 'net' ? startFork() : startService(contender.name));
    // The benchmark keeps compiled code for its own processes; what it measures has what everybody gets.
    delete process.env['NODE_COMPILE_CACHE'];
    await once();
    const cold = await repeat(3 * effort.repetitions, async () => ({ start: await once() }));
    if (contender.name === 'net') return { ...cold, 'with a spare': cold['start'] ?? [] };
    using spares = (await library()).ipcmSpares(1);
    const warm = await repeat(3 * effort.repetitions, async () => {
      // Booted and loaded: what it is kept for.
      await sleep(1000);
      if (spares.pids.length === 0) throw new Error('there is no spare process');
      return { 'with a spare': await once() };
    });
    return { ...cold, ...warm };
  },
  far: () => ({}),
};
