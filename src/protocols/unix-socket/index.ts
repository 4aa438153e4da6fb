/** The protocol UnixSocket: a datagram socket per client, a message per datagram. Needs the native part. */
import { directoryProtocol } from '../directory/protocol.ts';
import { cannotBind, socketKind } from './kind.ts';
import { largestDatagram, queueLength } from './sizes.ts';

/** The protocol. */
export const protocol = directoryProtocol<number>({
  name: 'UnixSocket',
  capabilities: {
    crossProcess: true,
    suspend: false,
    acknowledge: false,
    survivesReader: false,
    largestMessage: largestDatagram,
    capacity: queueLength,
    unit: 'message',
    wakeUp: 'descriptor',
    ordering: 'arrival',
    needs: 'Linux and the native part',
  },
  unviable: cannotBind,
  kind: socketKind,
});

export default protocol;
