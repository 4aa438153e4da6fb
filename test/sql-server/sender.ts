/** A child process: sends so many numbers to `reader`, some awaited, some not, when it is told to. */
import { once } from 'node:events';
import { ipcmConnect } from '../../src/bus.ts';

const [info = '', name = '', count = '0', user] = process.argv.slice(2);
const client = await ipcmConnect(name, info, user === undefined ? {} : { user });
process.send?.('ready');
await once(process, 'message');
const sends: Promise<void>[] = [];
for (let n = 0; n < Number(count); n++) {
  sends.push(client.sendMessage('reader', n));
  if (n % 7 === 0) await sends.at(-1);
}
await Promise.all(sends);
await client.disconnect();
process.disconnect();
