// A client that goes away for a while: what is sent meanwhile waits for it.
import { ipcmReconnect, ipcmSpawn } from 'ipc-manager';

await using bus = await ipcmSpawn({ protocol: 'MessageFiles' });
const sender = await bus.connect('sender');
const sleeper = await bus.connect('sleeper');

await sleeper.suspend({ expiresIn: 60_000 });
await sender.sendMessage('sleeper', 'while you were away');
console.log('active:', await sender.peerActive('sleeper'), 'exists:', await sender.peerExists('sleeper'));

const back = await ipcmReconnect('sleeper', bus.info);
for (const message of await back.getMessages()) console.log('sleeper got', JSON.stringify(message.content));
