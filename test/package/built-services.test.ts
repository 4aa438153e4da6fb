// Services find their modules by path, which the build changes: some of the suite's own, as they are in the built package.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type * as Services from '../../src/service/index.ts';
import { loadNative } from '../../src/native/native.ts';

const built = new URL('../../dist/service/index.js', import.meta.url);
const suite = new URL('../../dist/testing/index.js', import.meta.url);
const pattern = 'a process of its own|each callback of a service|workers run, are counted|a process that exits takes';

test('the services of the built suite start, with their workers', { timeout: 60_000 }, async (context) => {
  if (!existsSync(suite)) {
    assert.equal(process.env['IPCM_NO_SKIPS'], undefined, 'dist/ is built');
    context.skip('dist/ is not built; npm run build');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'ipcm-built-'));
  const file = join(folder, 'suite.mjs');
  const factory = `{ name: 'MessageFiles, built', protocol: 'MessageFiles' }`;
  writeFileSync(
    file,
    `import { runConformance } from '${suite.href}';\nawait runConformance(${factory}, { only: ['services'] });`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--test', '--test-reporter=tap', `--test-name-pattern=${pattern}`, file];
  try {
    const [code, output] = await new Promise<[unknown, string]>((resolve) => {
      execFile(process.execPath, args, { env, timeout: 50_000 }, (error, out) => resolve([error?.code ?? 0, out]));
    });
    assert.equal(code, 0, output);
    assert.match(output, /ok \d+ - workers run, are counted/);
    assert.match(output, /ok \d+ - onStart before anything else/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What each takes a millisecond or more of a start, with what it brings along. */
const costly = [
  'stream',
  'net',
  'child_process',
  'zlib',
  'v8',
  'perf_hooks',
  'worker_threads',
  'crypto',
  'fs/promises',
];

for (const protocol of ['AtomicPipe', 'UnixSocket', 'MessageFiles', 'SQLite', 'ConnectionUnix']) {
  test(`a service on ${protocol} starts and answers without what is costly to load`, async (context) => {
    if (!existsSync(built) || loadNative() === undefined) {
      assert.equal(process.env['IPCM_NO_SKIPS'], undefined, 'dist/ and the native part are built');
      context.skip('dist/ or the native part is not built; npm run build');
      return;
    }
    const { ipcmService } = (await import(built.href)) as typeof Services;
    const handle = await ipcmService(
      'list',
      () => {
        const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] };
        return moduleLoadList;
      },
      { spawn: { protocol }, execArgv: [] },
    );
    try {
      const loaded = await handle.request(null);
      assert.deepEqual(
        costly.filter((name) => loaded.includes(`NativeModule ${name}`)),
        [],
      );
    } finally {
      await handle.stop();
    }
  });
}
