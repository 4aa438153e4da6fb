// A worker that dies in the middle of a job: with acknowledgement the job comes again to its successor.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ipcmSpawn } from 'ipc-manager';

const bus = await ipcmSpawn({ protocol: 'MessageFiles' });
const boss = await bus.connect('boss');
const worker = (): ChildProcess =>
  spawn(process.execPath, [fileURLToPath(new URL('worker.ts', import.meta.url)), bus.info], { stdio: 'inherit' });

const first = worker();
await boss.waitForPeers('worker', { timeout: 10_000 });
await boss.sendMessage('worker', { job: 1 });

const [started] = await boss.getMessages({ timeout: 10_000 });
console.log('boss heard', started?.content, '- and kills the worker');
first.kill('SIGKILL');
await once(first, 'exit');

const second = worker();
for await (const message of boss.messages({ timeout: 10_000 })) {
  console.log('boss heard', message.content);
  if ((message.content as { done?: number }).done === 1) break;
}
const ended = once(second, 'exit');
await bus.terminate();
await ended;
await boss.disconnect(() => undefined);

// The first worker died without writing its counts, so the sums cannot add up; everything else is checked as usual.
await bus.shutdown({ sanityCheck: false });
