import { join } from 'node:path';
import { loadNative } from '../../src/native/native.ts';
import { protocol } from '../../src/protocols/unix-socket/index.ts';
import { parseInfo } from '../../src/spawn/connection-info.ts';
import { runConformance } from '../../src/testing/index.ts';

await runConformance({
  name: 'UnixSocket',
  protocol,
  childProtocol: `+${new URL('../../src/protocols/unix-socket/index.ts', import.meta.url).href}`,
  async injectGarbage(info, peer, bytes) {
    const native = loadNative();
    if (native === undefined) throw new Error('no native part');
    const fd = native.connectDatagram(join(parseInfo('test', info)[2], peer));
    native.sendBatch(fd, [bytes], 0);
    native.close(fd);
  },
});
