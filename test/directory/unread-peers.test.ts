/** Entries that nobody reads, and entries that are something else: what is left of killed clients, or put there by somebody. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { ipcmSpawn, type Client } from '../../src/index.ts';
import { loadNative, nativeUnavailable, type Native } from '../../src/native/native.ts';

function native(): Native {
  const loaded = loadNative();
  assert.ok(loaded !== undefined);
  return loaded;
}

/** The pid of a process that has nothing to do with us. */
function somebody(t: TestContext): number {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  return child.pid ?? 0;
}

/** Makes an entry that was somebody's once and that nobody reads any more. */
const leave: Readonly<Record<string, (path: string) => void>> = {
  AtomicPipe: (path) => native().mkfifo(path, 0o700),
  UnixSocket: (path) => native().close(native().bindDatagram(path, 0o600)),
  ConnectionUnix: (path) => native().close(native().listenStream(path, 0o600, 1)),
};

/** Things that are no entry of the protocol. */
const hostile: Readonly<Record<string, (path: string, t: TestContext) => void>> = {
  'a symbolic link to another client': (path) => symlinkSync('reader', path),
  'a symbolic link to a device': (path) => symlinkSync('/dev/null', path),
  'a symbolic link to a file outside': (path, t) => {
    const folder = mkdtempSync(join(tmpdir(), 'ipcm-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'precious'), 'kept');
    symlinkSync(join(folder, 'precious'), path);
  },
  'a link that goes round': (path) => symlinkSync(path, path),
  'a directory': (path) => mkdirSync(path),
  'a file that nobody may read': (path) => {
    writeFileSync(path, 'x');
    chmodSync(path, 0);
  },
};

describe('entries that nobody reads', { skip: nativeUnavailable() ?? false, concurrency: 8 }, () => {
  for (const [protocol, make] of Object.entries(leave)) {
    const options = { protocol, serializer: 'JSON', sanityCheck: false } as const;

    test(`${protocol}: one without a pid file is no suspended client for who wants the name`, async () => {
      await using bus = await ipcmSpawn(options);
      const path = join(bus.route, 'left');
      make(path);
      const said = {
        code: 'IPCM_NAME_TAKEN',
        message: /left is there and no pid file.*remove it, or use another name$/,
      };
      await assert.rejects(bus.connect('left'), said);
      rmSync(path);
      await (await bus.connect('left')).disconnect();
    });

    // That of a live process: since the client was killed, the number has been given to another one.
    for (const whose of ['a live process', 'nobody']) {
      test(`${protocol}: one whose pid file has but a pid, of ${whose}, is gone at once, and reaped`, async (t) => {
        const pid = whose === 'nobody' ? 2 ** 30 : somebody(t);
        await using bus = await ipcmSpawn(options);
        const client = await bus.connect('client');
        const path = join(bus.route, 'perl');
        make(path);
        writeFileSync(`${path}.pid`, String(pid));
        const reaped: string[] = [];
        client.on('reaped', ({ name }) => reaped.push(name));
        await assert.rejects(client.sendMessage('perl', 'x'), { code: 'IPCM_PEER_GONE', peer: 'perl', pid });
        assert.deepEqual(reaped, ['perl']);
        assert.deepEqual(
          readdirSync(bus.route).filter((file) => file.startsWith('perl')),
          [],
        );
        await assert.rejects(client.sendMessage('perl', 'x'), { code: 'IPCM_PEER_UNKNOWN' });
        await (await bus.connect('perl')).disconnect();
      });
    }

    for (const [what, put] of Object.entries(hostile)) {
      test(`${protocol}: ${what} in the route is sent nothing, and harms nobody`, async (t) => {
        await using bus = await ipcmSpawn(options);
        const reader = await bus.connect('reader');
        const client = await bus.connect('client');
        put(join(bus.route, 'trap'), t);
        await assert.rejects(client.sendMessage('trap', 'x'), { code: 'IPCM_PEER_UNKNOWN' });
        await assertServed(client, reader);
        // Whoever wants the name gets it or is told that it is taken; what a link leads to stays as it is.
        await bus.connect('trap').then(
          (trap) => trap.disconnect(),
          (error: unknown) => assert.ok(error instanceof Error && error.name === 'IpcError', String(error)),
        );
        await client.broadcast('all');
        assert.deepEqual(
          (await reader.getMessages({ timeout: 5000 })).map(({ content }) => content),
          ['all'],
        );
        assert.ok(existsSync('/dev/null'));
      });
    }
  }
});

/** Messages go on between the others. */
async function assertServed(client: Client, reader: Client): Promise<void> {
  await client.sendMessage('reader', 'fine');
  const messages = await reader.getMessages({ timeout: 5000 });
  assert.deepEqual(
    messages.map(({ content }) => content),
    ['fine'],
  );
}
