/** The protocol ConnectionUnix: a stream socket between each pair of clients. Any size of message, and plain Node is enough. */
import { directoryProtocol } from '../directory/protocol.ts';
import { unixKind } from './kind.ts';
import type { Listener } from './listener.ts';
import { settingsOf } from './settings.ts';

/** The protocol. */
export const protocol = directoryProtocol<Listener | undefined>({
  name: 'ConnectionUnix',
  capabilities: {
    crossProcess: true,
    suspend: false,
    acknowledge: false,
    survivesReader: false,
    capacity: 100,
    largestMessage: Infinity,
    unit: 'message',
    wakeUp: 'descriptor',
    ordering: 'arrival',
    needs: 'a local file system with Unix sockets',
  },
  kind: (options) => unixKind(settingsOf(options.protocolOptions)),
});

export default protocol;
