import ipcm = require('ipc-manager');
import messageFiles = require('ipc-manager/protocols/message-files');
import json = require('ipc-manager/serializers/json');
import testing = require('ipc-manager/testing');

const modules: object[] = [messageFiles, json, testing];

async function main(): Promise<unknown> {
  const bus = await ipcm.ipcmSpawn({ protocol: 'MessageFiles' });
  const client = await ipcm.ipcmConnect('a', bus.info);
  const [message] = await client.getMessages();
  await client.disconnect();
  await bus.shutdown();
  return message?.content;
}

export = { modules, main };
