import { runConformance } from '../../src/testing/index.ts';
import { parseInfo } from '../../src/spawn/connection-info.ts';
import { stores } from '../../src/protocols/local-memory/memory.ts';

await runConformance({
  name: 'LocalMemory',
  protocol: 'LocalMemory',
  async injectGarbage(info, peer, bytes) {
    const head = { id: 'garbage', from: 'nobody', to: peer, stamp: 0 };
    stores.get(parseInfo('test', info)[2])?.clients.get(peer)?.queue.push({ bytes, head });
  },
});
