import { protocol } from '../../src/protocols/connection-unix/index.ts';
import { resolveSerializer } from '../../src/serializers/resolve.ts';
import { parseInfo } from '../../src/spawn/connection-info.ts';
import { runConformance } from '../../src/testing/index.ts';
import { frame, rawConnection, write } from '../fixtures/connection-unix-raw.ts';

await runConformance({
  name: process.env['IPCM_NO_NATIVE'] === '1' ? 'ConnectionUnix without the native part' : 'ConnectionUnix',
  protocol,
  childProtocol: `+${new URL('../../src/protocols/connection-unix/index.ts', import.meta.url).href}`,
  async injectGarbage(info, peer, bytes) {
    const [, spec, route] = parseInfo('test', info);
    const serializer = await resolveSerializer(spec);
    const socket = await rawConnection(route, peer);
    await write(socket, Buffer.concat([frame(serializer.serialize({ hello: 'somebody' })), frame(bytes)]));
    // Read, so that its end is seen and it closes.
    socket.resume();
  },
});
