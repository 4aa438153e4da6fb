// Processes that have no descriptors left.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { resolveProtocol } from '../../src/index.ts';
import type { FewDescriptors } from '../fixtures/few-descriptors.ts';

const program = join(import.meta.dirname, '../fixtures/few-descriptors.ts');

/** What becomes of a message to a peer that none was sent to before, and of one to nobody. */
const sends: Readonly<Record<string, readonly string[]>> = {
  // A descriptor that is idle makes room.
  AtomicPipe: ['sent', 'IPCM_PEER_UNKNOWN'],
  UnixSocket: ['sent', 'IPCM_PEER_UNKNOWN'],
  ConnectionUnix: ['IPCM_STORE_FAILED', 'IPCM_STORE_FAILED'],
  SQLite: ['sent', 'IPCM_PEER_UNKNOWN'],
  MessageFiles: ['IPCM_STORE_FAILED', 'IPCM_STORE_FAILED'],
};

for (const [protocol, outcomes] of Object.entries(sends)) {
  const skip = (await (await resolveProtocol(protocol)).unviable()) ?? false;
  test(
    `${protocol}: without descriptors who waits is woken, and who connects leaves nothing, and sends end with a code`,
    { skip },
    async () => {
      const command = ['-c', 'ulimit -n 100 && exec "$0" "$@"', process.execPath, program, protocol];
      const { stdout } = await promisify(execFile)('sh', command);
      const { refused, left, sent, got } = JSON.parse(stdout) as FewDescriptors;
      assert.ok(refused.length > 0);
      assert.deepEqual(new Set(refused), new Set(['IPCM_STORE_FAILED']));
      assert.deepEqual(left, []);
      assert.deepEqual(sent, outcomes);
      assert.deepEqual(got, protocol === 'MessageFiles' ? [] : ['second']);
    },
  );
}
