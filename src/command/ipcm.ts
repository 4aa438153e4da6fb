/** The command `ipcm`. */
import { print } from './output.ts';
import { main } from './program.ts';

const exitCode = await main(process.argv.slice(2));
// Not left to the event loop: an open stdin would hold the process. What is written is flushed first.
await print('').catch(() => false);
process.exit(exitCode);
