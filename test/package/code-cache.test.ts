// What V8 makes of the built files is kept beside them, in bounds, and unless the environment says otherwise.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** A copy of the built package, and how to start a service from it that tells where it keeps code. */
function copyOf(t: TestContext): {
  cache: string;
  folder: string;
  start: (env?: NodeJS.ProcessEnv) => Promise<string>;
} {
  const folder = mkdtempSync(join(tmpdir(), 'ipcm-cache-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.cache') });
  const program = join(folder, 'start.mjs');
  writeFileSync(
    program,
    `import { ipcmService } from './dist/index.js';
    await using handle = await ipcmService('told', () => process.env.NODE_COMPILE_CACHE ?? 'none', {
      spawn: { protocol: 'MessageFiles' },
    });
    console.log(await handle.request(null));`,
  );
  return {
    folder,
    cache: join(folder, 'dist/.cache'),
    start: async (env = {}) => {
      const { NODE_COMPILE_CACHE: _, NODE_V8_COVERAGE: __, ...inherited } = process.env;
      return (await run(process.execPath, [program], { env: { ...inherited, ...env } })).stdout.trim();
    },
  };
}

/** The kept files, each with when it was written. */
function kept(cache: string): string[] {
  const files = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ name, parentPath }) => `${name} ${statSync(join(parentPath, name)).mtimeMs}`).sort();
}

const isMissing = !existsSync(join(root, 'dist/index.js'));
if (isMissing) assert.equal(process.env['IPCM_NO_SKIPS'], undefined, 'dist/ is built');
const skip = isMissing && 'dist/ is not built; npm run build';
const notRoot = process.geteuid?.() !== 0 && 'only root can give a package to another user';

test(
  'the first service leaves compiled code for the next, and its environment does not show it',
  { skip },
  async (t) => {
    const { cache, start } = copyOf(t);
    assert.equal(await start(), 'none');
    const first = kept(cache);
    assert.ok(first.length > 0);
    assert.equal(await start(), 'none');
    assert.deepEqual(kept(cache), first, 'nothing is compiled twice');
  },
);

test('whoever names a place for compiled code, wants none, or counts what runs is obeyed', { skip }, async (t) => {
  const { cache, folder, start } = copyOf(t);
  const own = join(folder, 'own');
  assert.equal(await start({ NODE_COMPILE_CACHE: own }), own);
  assert.ok(kept(own).length > 0);
  assert.equal(await start({ NODE_DISABLE_COMPILE_CACHE: '1' }), 'none');
  assert.equal(await start({ NODE_V8_COVERAGE: join(folder, 'coverage') }), 'none');
  assert.equal(existsSync(cache), false);
});

test('a service starts where compiled code cannot be kept', { skip }, async (t) => {
  const { cache, start } = copyOf(t);
  writeFileSync(cache, 'in the way');
  assert.equal(await start(), 'none');
});

test('root leaves nothing in a package of another user', { skip: skip || notRoot }, async (t) => {
  const { cache, folder, start } = copyOf(t);
  chownSync(join(folder, 'dist'), 1000, 1000);
  assert.equal(await start(), 'none');
  assert.equal(existsSync(cache), false);
});

test('compiled code does not heap up', { skip }, async (t) => {
  const { cache, start } = copyOf(t);
  await start();
  const [version = assert.fail('nothing is kept')] = readdirSync(cache);
  for (let n = 0; n < 600; n++) writeFileSync(join(cache, version, `old-${n}`), '');
  mkdirSync(join(cache, 'of-another-version'));
  assert.equal(await start(), 'none');
  assert.ok(kept(cache).length < 50, `${kept(cache).length} files`);
  assert.deepEqual(readdirSync(cache).sort(), ['of-another-version', version].sort());
});
