import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCodes, IpcError, isIpcError } from '../../src/index.ts';

test('docs/errors.md has a heading for each code, and for no other', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8');
  const headings = [...docs.matchAll(/^#+ `?(IPCM_[A-Z_]+)`?$/gm)].map((match) => match[1]);
  assert.equal(headings.length, new Set(headings).size, 'none is there twice');
  assert.deepEqual(new Set(headings), new Set(Object.keys(errorCodes)));
});

test('an error carries its code, its facts and its cause', () => {
  const cause = new Error('ENOENT');
  const facts = { cause, client: 'a', peer: 'b', pid: 7, protocol: 'P', route: '/r', details: { n: 1 } };
  const error = new IpcError('IPCM_PEER_GONE', 'b has left', facts);
  assert.ok(error instanceof Error && error.stack?.includes('b has left'));
  const { code, name, client, peer, pid, protocol, route, details } = error;
  assert.deepEqual([code, name, error.cause], ['IPCM_PEER_GONE', 'IpcError', cause]);
  assert.deepEqual({ cause, client, peer, pid, protocol, route, details }, facts);
  assert.ok(!('cause' in new IpcError('IPCM_TIMEOUT', 'late')));
});

test('isIpcError tells errors of the bus, and one code from another', () => {
  const error: unknown = new IpcError('IPCM_TIMEOUT', 'late');
  assert.deepEqual(
    [isIpcError(error), isIpcError(error, 'IPCM_TIMEOUT'), isIpcError(error, 'IPCM_PEER_GONE')],
    [true, true, false],
  );
  for (const other of [new Error('IPCM_TIMEOUT'), { code: 'IPCM_TIMEOUT' }, undefined])
    assert.equal(isIpcError(other), false);
});
