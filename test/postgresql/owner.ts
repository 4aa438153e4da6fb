/** A child process: makes a store on a private server, says its info, and ends as it is told. */
import { ipcmSpawn } from '../../src/bus.ts';
import { protocol } from '../../src/protocols/postgresql/index.ts';

const bus = await ipcmSpawn({ protocol, guard: process.argv[2] === 'guard' });
process.on('message', (ending) => {
  if (ending === 'throw') throw new Error('as told');
  process.exit(0);
});
process.send?.(bus.info);
