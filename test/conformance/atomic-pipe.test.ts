import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseInfo } from '../../src/spawn/connection-info.ts';
import { protocol } from '../../src/protocols/atomic-pipe/index.ts';
import { runConformance } from '../../src/testing/index.ts';
import { framed } from '../fixtures/atomic-pipe-writer.ts';

await runConformance({
  name: 'AtomicPipe',
  protocol,
  childProtocol: `+${new URL('../../src/protocols/atomic-pipe/index.ts', import.meta.url).href}`,
  async injectGarbage(info, peer, bytes) {
    const fd = openSync(join(parseInfo('test', info)[2], peer), constants.O_WRONLY | constants.O_NONBLOCK);
    for (const chunk of framed(bytes, process.pid, 7)) writeSync(fd, chunk);
    closeSync(fd);
  },
});
