/** What the workers of the tests do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ipcmConnect } from '../../bus.ts';
import type { WorkerContext } from '../../service/worker-context.ts';

/** Takes part in the bus under a name of its own, and ends when it is told to. */
export async function patient({ name, service, ipcmInfo, params, signal }: WorkerContext): Promise<void> {
  const client = await ipcmConnect(`${name}-${process.pid}`, ipcmInfo);
  await client.sendMessage('observer', { name, service, params, pid: process.pid });
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await client.sendMessage('observer', `${name} was told`);
  await client.disconnect();
}

/** Hears that it shall end, and does not. */
export async function stubborn(): Promise<never> {
  for (;;) await sleep(1000);
}

/** Is too busy to hear anything. */
export function busy(): never {
  for (;;);
}

/** Returns at once. */
export function brief(): void {}

/** Throws. */
export function failing({ params }: WorkerContext): never {
  throw new Error(`a worker that fails: ${String(params)}`);
}
