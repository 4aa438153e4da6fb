// A store on a disk without a byte left.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipcmSpawn } from '../../src/index.ts';
import { folder } from '../fixtures/directory-bus.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root, to mount a small file system';
const reader = `
  const { ipcmConnect } = await import(process.argv[1]);
  const client = await ipcmConnect('child', process.argv[2]);
  process.stdout.write('ready');
  for await (const message of client.messages());
  console.log(' terminated');
  process.exit();
`;

test('a shutdown tells the clients of other processes also where the disk is full', { skip }, async (t) => {
  const path = join(folder(t), 'mounted');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', path]);
  try {
    const bus = await ipcmSpawn({ protocol: 'AtomicPipe', route: join(path, 'store'), sanityCheck: false });
    const own = await bus.connect('own');
    const index = new URL('../../src/index.ts', import.meta.url).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', reader, index, bus.info], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    fill(path);
    await assert.rejects(bus.connect('late'), { code: 'IPCM_STORE_FULL' });
    await bus.shutdown({ timeout: 20_000 });
    await ended;
    assert.equal(said, 'ready terminated\n');
    assert.ok(own.disconnected);
    assert.ok(!existsSync(bus.route));
  } finally {
    execFileSync('umount', ['-l', path]);
  }
});

function fill(path: string): void {
  const filler = openSync(join(path, 'filler'), 'w');
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096));
  } catch {
    // ENOSPC: nothing is left, as the test wants it.
  } finally {
    closeSync(filler);
  }
}
