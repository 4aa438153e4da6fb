import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { loadNative, nativeUnavailable } from '../../src/native/native.ts';
import { folderOf, skip } from './scene.ts';

const root = join(import.meta.dirname, '../..');
const source = join(root, 'src/native/native.ts');
const binary = process.env['IPCM_NATIVE'] ?? join(root, `dist/native/ipcm-linux-${process.arch}.node`);
const runtimes = globSync('test/runtimes/node_modules/node*/bin/node', { cwd: root }).map((file) => join(root, file));

/** Asks a process of its own, with the environment given, why there is no native part. */
async function reason(module: string, env: Record<string, string>): Promise<string> {
  const program = `import { loadNative, nativeUnavailable } from ${JSON.stringify(module)};
    process.stdout.write(String(nativeUnavailable() ?? typeof loadNative()?.read));`;
  const options = { env: { ...process.env, ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], options);
  return stdout;
}

suite('loading the native part', () => {
  test('there is either the addon or a reason, and always the same', () => {
    assert.equal(loadNative() === undefined, nativeUnavailable() !== undefined);
    assert.equal(loadNative(), loadNative());
  });

  test('IPCM_NO_NATIVE=1 turns it off', async () => {
    assert.match(await reason(source, { IPCM_NO_NATIVE: '1' }), /IPCM_NO_NATIVE=1 turns .* off: unset it/);
  });

  test('a binary that is missing, is none, or is of another version gives a reason with a remedy', async (context) => {
    const folder = folderOf(context);
    const missing = join(folder, 'none.node');
    assert.match(await reason(source, { IPCM_NATIVE: missing }), /no native part .* at .*none\.node: build it with/);
    const broken = join(folder, 'broken.node');
    writeFileSync(broken, 'not a binary');
    assert.match(
      await reason(source, { IPCM_NATIVE: broken }),
      /broken\.node cannot be loaded: .*(?:ELF|invalid|short)/,
    );
    const other = join(folder, 'other.cjs');
    writeFileSync(other, 'exports.surface = 0');
    assert.match(await reason(source, { IPCM_NATIVE: other }), /other\.cjs is of another version .*: build it again/);
  });

  test('it is found from an installed dist as from the sources', { skip }, async (context) => {
    const folder = join(folderOf(context), 'dist/native');
    mkdirSync(folder, { recursive: true });
    copyFileSync(source, join(folder, 'native.ts'));
    copyFileSync(binary, join(folder, `ipcm-linux-${process.arch}.node`));
    assert.equal(await reason(join(folder, 'native.ts'), {}), 'function');
  });

  test('it asks for no newer C library than Node does, and for no C++ library', { skip }, async (context) => {
    if (process.env['IPCM_NATIVE'] !== undefined) return context.skip('the build with checks asks for more');
    const dump = await promisify(execFile)('objdump', ['-p', binary]).catch(() => undefined);
    if (dump === undefined) return context.skip('there is no objdump');
    const needed = [...dump.stdout.matchAll(/NEEDED +(\S+)/g)].map((match) => match[1]);
    assert.deepEqual(needed, ['libc.so.6']);
    const minors = [...dump.stdout.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
    // Node 20 asks for glibc 2.28; the newest symbol used here, sendmmsg, came with 2.14.
    assert.ok(minors.length > 0 && Math.max(...minors) <= 17, `GLIBC_2.${Math.max(...minors)}`);
  });

  for (const runtime of runtimes) {
    test(`the same binary works in ${basename(join(runtime, '../..'))}`, { skip }, async () => {
      const program = `
        const { mkdtempSync, rmSync } = require('node:fs');
        const { Worker, isMainThread } = require('node:worker_threads');
        const native = require(process.env.BINARY);
        const folder = mkdtempSync(require('node:os').tmpdir() + '/ipcm-native-');
        const receiver = native.bindDatagram(folder + '/socket', 0o600);
        const sender = native.connectDatagram(folder + '/socket');
        rmSync(folder, { recursive: true });
        const poller = new native.Poller(receiver);
        poller.start(1, () => {
          const arena = Buffer.alloc(100);
          const count = native.receiveBatch(receiver, arena, 50, new Int32Array(2));
          if (!isMainThread) return process.exit(0);
          process.stdout.write(count + arena.toString('utf8', 50, 53));
          poller.stop();
          new Worker(process.env.SOURCE, { eval: true }).on('exit', (code) => process.exit(code));
        });
        native.sendBatch(sender, [Buffer.from('one'), Buffer.from('two')], 0);`;
      const env = { ...process.env, BINARY: binary, SOURCE: program };
      const { stdout } = await promisify(execFile)(runtime, ['-e', program], { env });
      assert.equal(stdout, '2two');
    });
  }

  test(
    'the runtimes to test with are installed',
    { skip: runtimes.length === 0 && 'npm ci --prefix test/runtimes' },
    () => {
      assert.ok(runtimes.every((file) => existsSync(file)));
    },
  );
});
