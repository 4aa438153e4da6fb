/** Makes the tables at a route, and uses them once. Arguments: protocol, route. */
import { ipcmSpawn } from '../../src/bus.ts';

const [protocol = '', route = ''] = process.argv.slice(2);
const bus = await ipcmSpawn({ protocol, route, guard: false });
const client = await bus.connect(`child ${process.pid}`);
await client.sendMessage(client.id, 'x');
await client.getMessages();
await client.disconnect();
await bus[Symbol.asyncDispose]();
