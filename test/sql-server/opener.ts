/** A child process: opens each store that it is told of again and again, until it is not there any more. */
import { isIpcError } from '../../src/errors.ts';
import { resolveProtocol } from '../../src/protocols/resolve.ts';
import { resolveSerializer } from '../../src/serializers/resolve.ts';

const protocol = await resolveProtocol(process.argv[2] ?? '');
const serializer = await resolveSerializer('JSON');
const options = { serializer, limits: { maxMessageBytes: 1_000_000 }, protocolOptions: {} };

async function openAgainAndAgain(route: string): Promise<string> {
  try {
    for (let times = 0; ; times++) {
      const store = await protocol.open(route, options);
      await store.peers();
      await store.close();
      if (times === 0) process.send?.('opened');
    }
  } catch (error) {
    return isIpcError(error, 'IPCM_STORE_MISSING') ? 'missing' : String(error);
  }
}

process.on('message', (route: string) => void openAgainAndAgain(route).then((end) => process.send?.(end)));
