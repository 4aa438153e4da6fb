// The other process of the example: run by main.ts with the connection info as its argument.
import { ipcmConnect } from 'ipc-manager';

const client = await ipcmConnect('child', process.argv[2] ?? '');
for await (const message of client.messages()) {
  console.log('child got', message.content);
  await client.sendMessage(message.from, { got: message.content });
}
// The loop ends at the terminate message.
await client.disconnect();
