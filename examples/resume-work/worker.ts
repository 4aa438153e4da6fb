// Takes jobs with acknowledgement: a job leaves the store only when it is done. Run by main.ts.
import { setTimeout } from 'node:timers/promises';
import { ipcmConnect } from 'ipc-manager';

const client = await ipcmConnect('worker', process.argv[2] ?? '', { ack: true });
for await (const message of client.messages()) {
  const { job } = message.content as { job: number };
  await client.sendMessage('boss', { started: job, pid: process.pid });
  await setTimeout(300); // the work
  await client.sendMessage('boss', { done: job, pid: process.pid });
  await client.acknowledge(message);
}
await client.disconnect();
