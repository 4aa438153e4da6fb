// Tests the package as users get it: packed, then installed in an empty folder outside the repository.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';

const repository = join(import.meta.dirname, '../..');
const tools = join(repository, 'node_modules/.bin');
const folder = mkdtempSync(join(tmpdir(), 'ipcm-pack-'));
const installed = join(folder, 'node_modules/ipc-manager');

interface Manifest {
  version: string;
  exports: Record<string, string | { types: string; default: string }>;
  bin: Record<string, string>;
  dependencies?: unknown;
  optionalDependencies?: unknown;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  bundleDependencies?: unknown;
}

const readManifest = (): Manifest => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest;

/** Runs a program to its end and returns what it printed; a failure carries that output too. */
async function run(program: string, args: string[], cwd = folder): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { cwd, timeout: 50_000, maxBuffer: 1 << 24 });
    return stdout;
  } catch (error) {
    const { message, stdout = '' } = error as Error & { stdout?: string };
    throw new Error(`${message}\n${stdout}`, { cause: error });
  }
}

const tarball = (): string => join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'no-tarball');

/** Every specifier that the exports offer, with the files it stands for; patterns are matched with the files there are. */
function entryPoints(): { specifier: string; types: string; code: string }[] {
  return Object.entries(readManifest().exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return [];
    const stems = target.default.includes('*') ? stemsOf(target.default) : [''];
    return stems.map((stem) => ({
      specifier: `ipc-manager${subpath.slice(1).replace('*', stem)}`,
      types: target.types.replace('*', stem),
      code: target.default.replace('*', stem),
    }));
  });
}

/** What the "*" of a pattern such as "./dist/serializers/*.js" can stand for. */
function stemsOf(pattern: string): string[] {
  const [start = '', end = ''] = pattern.split('*');
  return globSync(pattern, { cwd: installed }).map((path) =>
    `./${path.replace(/^\.\//, '')}`.slice(start.length, -end.length),
  );
}

/** The path of a Node of that major version, if test/runtimes has one for this machine. */
function runtime(major: number): string | undefined {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const name = `node${major}-${process.platform}-${process.arch}`;
  const path = join(repository, 'test/runtimes/node_modules', name, 'bin/node');
  return existsSync(path) ? path : undefined;
}

suite('the packed package', () => {
  before(async () => {
    assert.ok(existsSync(join(repository, 'dist/index.js')), 'dist/ is missing: run npm run build');
    await run('npm', ['pack', '--pack-destination', folder], repository);
    cpSync(join(import.meta.dirname, 'consumer'), folder, { recursive: true });
    // Offline: the package has no dependency, so there is nothing to fetch.
    await run('npm', ['install', '--offline', '--no-audit', '--cache', join(folder, 'cache'), tarball()]);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  test('has no dependency; drivers are peers that nobody has to install', () => {
    const { dependencies, optionalDependencies, bundleDependencies, ...manifest } = readManifest();
    assert.deepEqual([dependencies, optionalDependencies, bundleDependencies], [undefined, undefined, undefined]);
    const { peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
    for (const name of Object.keys(peerDependencies)) assert.equal(peerDependenciesMeta[name]?.optional, true, name);
  });

  test('holds what it should and nothing else', () => {
    const expected = new Set(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json']);
    assert.deepEqual(new Set(readdirSync(installed)), expected);
    // The command is one bundle; its licence file goes with it.
    assert.deepEqual(readdirSync(join(installed, 'dist/command')), ['THIRD-PARTY-LICENSES.txt', 'ipcm.js']);
    const unexpected = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((path) => statSync(join(installed, 'dist', path)).isFile())
      .filter((path) => !/(\.js|\.d\.ts)$/.test(path) && path !== 'command/THIRD-PARTY-LICENSES.txt');
    // The native part, built for the machine that packs.
    assert.deepEqual(unexpected, [`native/ipcm-${process.platform}-${process.arch}.node`]);
  });

  test('has a file behind every entry of its exports', () => {
    const specifiers = entryPoints().map(({ specifier }) => specifier);
    for (const expected of ['', '/service', '/testing', '/protocols/message-files', '/serializers/json']) {
      assert.ok(
        specifiers.includes(`ipc-manager${expected}`),
        `ipc-manager${expected} is not among ${specifiers.join()}`,
      );
    }
    for (const { types, code } of entryPoints()) {
      assert.ok(existsSync(join(installed, types)), types);
      assert.ok(existsSync(join(installed, code)), code);
    }
  });

  test('every entry point can be imported and required', async () => {
    const specifiers = entryPoints().map(({ specifier }) => specifier);
    await run(process.execPath, ['import.mjs', ...specifiers]);
    await run(process.execPath, ['require.cjs', ...specifiers]);
  });

  test('its types suit a strict consumer, ESM and CommonJS', async () => {
    // Node's own types come with every TypeScript project that uses Node.
    symlinkSync(join(repository, 'node_modules/@types'), join(folder, 'node_modules/@types'));
    await run(join(tools, 'tsc'), ['-p', 'tsconfig.json']);
  });

  test('its command starts', async () => {
    const output = await run('npx', ['--offline', 'ipcm', '--version']);
    assert.equal(output.trim(), readManifest().version);
  });

  test("the README's files and those of the guides run as they stand", async () => {
    const expected: Readonly<Record<string, string>> = {
      'parent.mts': "{ got: { hello: 'world' } }\n",
      'ask.mts': 'hello, world\n',
    };
    const ran = new Set<string>();
    for (const file of ['README.md', 'docs/services.md']) {
      const texts = readFileSync(join(installed, file), 'utf8').matchAll(/```ts\n(\/\/ (\S+\.mts)\b[^]*?)```/g);
      const names = [...texts].map(([, text = '', name = '']) => {
        writeFileSync(join(folder, name), text);
        return name;
      });
      for (const name of names) {
        const output = expected[name];
        if (output === undefined) continue;
        assert.equal(await run(process.execPath, ['--no-warnings', name]), output, `${name} of ${file}`);
        ran.add(`${file} ${name}`);
      }
    }
    assert.deepEqual([...ran], ['README.md parent.mts', 'README.md ask.mts', 'docs/services.md ask.mts']);
  });

  test('publint has nothing to say', async () => {
    const output = await run(join(tools, 'publint'), ['run', tarball(), '--strict', '--level', 'warning']);
    assert.match(output, /All good/);
  });

  test('the types are right for every way of resolving them', async () => {
    const specifiers = entryPoints().map(({ specifier }) => specifier.replace('ipc-manager', '.'));
    // ESM only: a CommonJS consumer gets the ES modules through require().
    await run(join(tools, 'attw'), [tarball(), '--profile', 'esm-only', '--entrypoints', ...specifiers]);
  });

  for (const major of [20, 22, 24, 26]) {
    const path = runtime(major);
    const skip = path === undefined && `no Node ${major} in test/runtimes for ${process.platform}-${process.arch}`;
    test(`works on Node ${major}`, { skip }, async () => {
      assert.ok(path !== undefined);
      const output = await run(path, ['smoke.mjs', String(major)]);
      assert.match(output, /^smoke test passed on v\d+/m);
    });
  }
});
