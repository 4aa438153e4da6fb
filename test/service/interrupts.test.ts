// Ctrl-C in a terminal reaches all its processes: who has started a service ends it, when it is done with it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const library = new URL('../../src/service/index.ts', import.meta.url).href;
const module = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

const backend = module('export default { handleRequest: (n) => n * n };');

const proxy = module(`
  import { ipcmService } from ${JSON.stringify(library)};
  let backend;
  export default {
    async onStart() {
      backend = await ipcmService('backend', ${JSON.stringify(backend)});
    },
    async handleRequest(n) {
      console.log('in hand');
      await new Promise((resolve) => process.once('SIGINT', () => setTimeout(resolve, 300)));
      return backend.request(n);
    },
  };`);

const program = `
  import { ipcmService } from ${JSON.stringify(library)};
  process.on('SIGINT', () => undefined);
  const handle = await ipcmService('proxy', ${JSON.stringify(proxy)}, { spawn: { protocol: 'AtomicPipe', sanityCheck: false } });
  await handle.request(7).then((answer) => console.log('answer', answer), (error) => console.log(error));
  await handle.stop();`;

test('a service answers what is in hand although an interrupt has reached the service that it asks as well', async () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env,
    // A group of its own, as a shell makes for each command.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === 'in hand') process.kill(-(child.pid ?? 0), 'SIGINT');
  }
  assert.deepEqual(lines, ['in hand', 'answer 49']);
  assert.deepEqual(await ended, [0, null]);
});
