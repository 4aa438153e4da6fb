import { ipcmConnect, ipcmSpawn } from 'ipc-manager';
import * as messageFiles from 'ipc-manager/protocols/message-files';
import * as json from 'ipc-manager/serializers/json';
import * as testing from 'ipc-manager/testing';

export const modules: object[] = [messageFiles, json, testing];

export async function main(): Promise<unknown> {
  const bus = await ipcmSpawn({ protocol: 'MessageFiles' });
  const a = await ipcmConnect('a', bus.info);
  const b = await bus.connect('b');
  await a.sendMessage('b', { hello: 'world' });
  const [message] = await b.getMessages();
  await a.broadcast({ x: 1 });
  await a.disconnect();
  await b.disconnect();
  await bus.shutdown();
  return message?.content;
}
