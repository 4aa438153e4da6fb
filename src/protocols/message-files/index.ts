/** The protocol MessageFiles: a directory per client, a file per message. Works wherever there is a local file system. */
import { directoryProtocol } from '../directory/protocol.ts';
import { filesKind } from './kind.ts';

/** The protocol. */
export const protocol = directoryProtocol<void>({
  name: 'MessageFiles',
  capabilities: {
    crossProcess: true,
    suspend: true,
    acknowledge: true,
    survivesReader: true,
    capacity: Infinity,
    largestMessage: Infinity,
    unit: 'message',
    wakeUp: 'inotify',
    ordering: 'name',
    needs: 'a local file system',
  },
  kind: () => filesKind,
});

export default protocol;
