/** A child process: makes a store on a private server, says so, and waits to be killed. */
import { ipcmSpawn } from '../../src/bus.ts';

const [, , protocol = '', guard] = process.argv;
const bus = await ipcmSpawn({ protocol, guard: guard === 'guard' });
process.on('message', () => undefined);
process.send?.(bus.info);
