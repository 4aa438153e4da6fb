// Two processes talk: this one spawns the bus, starts a child that gets the info as an argument, and they exchange messages.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ipcmSpawn } from 'ipc-manager';

await using bus = await ipcmSpawn();
const parent = await bus.connect('parent');

spawn(process.execPath, [fileURLToPath(new URL('child.ts', import.meta.url)), bus.info], { stdio: 'inherit' });

await parent.waitForPeers('child', { timeout: 10_000 });
await parent.sendMessage('child', { hello: 'world' });

const [answer] = await parent.getMessages({ timeout: 10_000 });
console.log('parent got', answer?.content);

// Leaving the scope asks the child to end, waits for it, checks that every message was read, and removes the store.
