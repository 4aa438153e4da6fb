import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownIdentity } from '../../src/liveness/identity.ts';
import { loadNative, nativeUnavailable } from '../../src/native/native.ts';
import { NativeListener } from '../../src/protocols/connection-unix/native-listener.ts';
import { descriptors } from '../../src/testing/leaks.ts';
import { unixStore, until } from '../fixtures/connection-unix-bus.ts';

test('one without descriptors that is closed tries no more', { skip: nativeUnavailable() ?? false }, async (t) => {
  const native = loadNative();
  assert.ok(native);
  const path = join(unixStore(t).route, 'starved');
  const before = descriptors().length;
  let tries = 0;
  const accept = (): number => (tries++, -constants.errno.EMFILE);
  const listener = new NativeListener({ ...native, accept }, path, 0o600, ownIdentity());
  const failures: string[] = [];
  listener.start({ accept: () => assert.fail(), failed: ({ message }) => failures.push(message) });
  const waiting = connect(path).on('error', () => undefined);
  await until('it is tried again', () => tries > 1);
  listener.drain();
  const last = tries;
  // More than the time after which it is tried again.
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(tries, last);
  assert.deepEqual(failures, ['EMFILE: accept']);
  waiting.destroy();
  await until('nothing is left', () => descriptors().length <= before);
});
