/** Processes of another user at the socket of a client: refused unless allowed. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { nativeUnavailable } from '../../src/native/native.ts';
import { strangerAt } from '../../src/protocols/connection-unix/credentials.ts';
import type { DirectoryStore } from '../../src/protocols/directory/store.ts';
import { entryPath, jsonFrame } from '../fixtures/connection-unix-raw.ts';
import { joined, send, take, unixStore, until, type Linked } from '../fixtures/connection-unix-bus.ts';
import { Report } from '../fixtures/directory-bus.ts';

/** The user `nobody`. */
const stranger = 65_534;

const isRoot = process.getuid?.() === 0;
const skip = isRoot
  ? (nativeUnavailable() ?? false)
  : `only root can start a process of another user, and this is user ${process.getuid?.()}: run it as root`;

/** Connects to argv[1], writes what argv[2] says in base64, and tells when it is closed. */
const program = `
  const socket = require('node:net').connect(process.argv[1]);
  socket.on('connect', () => socket.write(Buffer.from(process.argv[2], 'base64')));
  socket.on('error', (error) => process.send(error.code));
  socket.on('close', () => process.send('closed', () => process.exit()));
  socket.resume();
`;

interface Scene {
  readonly store: DirectoryStore;
  readonly host: Linked;
  readonly report: Report;
}

/** A store that others may pass through, with a client in it. */
async function scene(t: TestContext, protocolOptions: Record<string, unknown>): Promise<Scene> {
  const store = unixStore(t);
  chmodSync(dirname(store.route), 0o711);
  chmodSync(store.route, 0o711);
  const report = new Report();
  const host = await joined(t, store, 'host', { report, more: { protocolOptions } });
  return { store, host, report };
}

/** A process of another user that connects and sends a message. */
function knock(t: TestContext, route: string): ChildProcess {
  const message = jsonFrame({ id: 'x', from: 'stranger', to: 'host', stamp: 1, stamp_ord: 0, content: 'hello' });
  const bytes = Buffer.concat([jsonFrame({ hello: 'stranger' }), message]).toString('base64');
  const child = spawn(process.execPath, ['-e', program, entryPath(route, 'host'), bytes], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: '/',
    uid: stranger,
    gid: stranger,
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('whoever cannot be asked for its user is a stranger', { skip: nativeUnavailable() ?? false }, () => {
  assert.equal(strangerAt({ fd: undefined }, []), 'unknown');
  assert.equal(strangerAt({ fd: undefined }, true), undefined);
});

suite('another user at the socket', { skip }, () => {
  test('is refused by the system where nobody else is allowed', async (t) => {
    const { store, host, report } = await scene(t, {});
    const [said] = (await once(knock(t, store.route), 'message')) as unknown[];
    assert.equal(said, 'EACCES');
    assert.deepEqual(await host.receive({ messages: 1, bytes: 1e6 }), []);
    assert.deepEqual(report.errors, []);
  });

  test('is refused by the client where somebody else is allowed, and is told of', async (t) => {
    const { store, host, report } = await scene(t, { allowUsers: [stranger - 1] });
    const friend = await joined(t, store, 'friend');
    await send(friend, 'friend', 'host', 1);
    const child = knock(t, store.route);
    await Promise.all([once(child, 'exit'), until('it is told of', () => report.errors.length > 0)]);
    assert.deepEqual(
      report.errors.map(({ code, client, pid, details }) => [code, client, pid, details]),
      [['IPCM_PEER_REFUSED', 'host', child.pid, { uid: stranger }]],
    );
    await send(friend, 'friend', 'host', 2);
    assert.deepEqual(await take(host, 2), [1, 2]);
    assert.deepEqual(await host.receive({ messages: 1, bytes: 1e6 }), [], 'nothing came from the stranger');
  });

  for (const allowUsers of [[stranger], true]) {
    test(`is let in with allowUsers: ${JSON.stringify(allowUsers)}`, async (t) => {
      const { store, host, report } = await scene(t, { allowUsers });
      const child = knock(t, store.route);
      assert.deepEqual(await take(host, 1), ['hello']);
      assert.deepEqual(report.errors, []);
      assert.equal(host.links.hasConnection('stranger'), true);
      child.kill();
    });
  }
});
