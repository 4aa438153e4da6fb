import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidAt } from '../../src/message/id.ts';
import { nextMicros } from '../../src/message/stamp.ts';
import { parseInfo } from '../../src/spawn/connection-info.ts';
import { runConformance } from '../../src/testing/index.ts';

await runConformance({
  name: 'MessageFiles',
  protocol: 'MessageFiles',
  async injectGarbage(info, peer, bytes) {
    const path = join(parseInfo('test', info)[2], peer, uuidAt(nextMicros()));
    writeFileSync(`${path}.pend`, bytes);
    renameSync(`${path}.pend`, `${path}.ready`);
  },
});
