/** The protocol AtomicPipe: a FIFO per client, messages in chunks that the kernel writes whole. Needs Linux. */
import { directoryProtocol } from '../directory/protocol.ts';
import { pipeKind } from './kind.ts';
import { cannotMake } from './pipe.ts';

/** The protocol. */
export const protocol = directoryProtocol<number>({
  name: 'AtomicPipe',
  capabilities: {
    crossProcess: true,
    suspend: false,
    acknowledge: false,
    survivesReader: false,
    largestMessage: Infinity,
    // Two pages, which is what Linux gives a user who has too many pipes, with 15 chunks of 272 bytes each.
    capacity: 30,
    unit: 'message',
    wakeUp: 'descriptor',
    ordering: 'arrival',
    needs: 'Linux; the native part, or the command mkfifo',
  },
  unviable() {
    if (process.platform !== 'linux') {
      return `AtomicPipe needs Linux, which writes 4096 bytes into a pipe as one; ${process.platform} does not: use MessageFiles`;
    }
    return cannotMake();
  },
  kind: pipeKind,
});

export default protocol;
