// Processes that have no descriptors left.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { resolveProtocol } from '../../src/index.ts';
import type { FewDescriptors } from '../fixtures/few-descriptors.ts';

const program = join(import.meta.dirname, '../fixtures/few-descriptors.ts');

for (const protocol of ['AtomicPipe', 'UnixSocket', 'ConnectionUnix', 'SQLite', 'MessageFiles']) {
  const skip = (await (await resolveProtocol(protocol)).unviable()) ?? false;
  test(`${protocol}: without descriptors who waits is woken, and who connects leaves nothing`, { skip }, async () => {
    const command = ['-c', 'ulimit -n 100 && exec "$0" "$@"', process.execPath, program, protocol];
    const { stdout } = await promisify(execFile)('sh', command);
    const { refused, left, got } = JSON.parse(stdout) as FewDescriptors;
    assert.ok(refused.length > 0);
    assert.deepEqual(new Set(refused), new Set(['IPCM_STORE_FAILED']));
    assert.deepEqual(left, []);
    assert.deepEqual(got, protocol === 'MessageFiles' ? [] : ['second']);
  });
}
