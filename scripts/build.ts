// Builds dist/: the library as few files, which start faster than one for each module; their types; the command as a bundle.
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

process.chdir(join(import.meta.dirname, '..'));

/** Files of the library that others import or run by their path; what they share is put into dist/internal. */
const libraryEntries = [
  'src/index.ts',
  'src/service/index.ts',
  'src/service/child.ts',
  'src/testing/index.ts',
  'src/testing/child.ts',
  ...globSync('src/testing/services/*.ts').toSorted(),
  'src/serializers/json.ts',
  'src/serializers/json-zstd.ts',
  ...globSync('src/protocols/*/index.ts').toSorted(),
];

const commandSource = 'src/command';
const commandOutput = 'dist/command';

/**
 * Leaves the library itself out of the command's bundle, so that the command runs the same built files as everyone else.
 * src/command and dist/command lie equally deep, hence one relative path is right in both.
 */
const keepLibraryExternal: Plugin = {
  name: 'keep-library-external',
  setup(bundler) {
    bundler.onResolve({ filter: /^\.\.?\// }, (imported) => {
      const root = resolve(commandSource);
      // Imports inside third-party packages are bundled.
      if (relative(root, imported.importer).startsWith('..')) return undefined;
      const path = relative(root, resolve(imported.resolveDir, imported.path));
      if (!path.startsWith('..')) return undefined;
      return { path: path.replace(/\.ts$/, '.js'), external: true };
    });
  },
};

/** The folders of the third-party packages that a bundle holds. */
function bundledPackages(metafile: Metafile): string[] {
  const folders = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders].toSorted();
}

/** Name, version and licence text of a package; its licence asks for the text to go with every copy. */
function licenceOf(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (!files.some((file) => !/^notice/i.test(file))) throw new Error(`No licence text in ${folder}`);
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${name} ${version}`, ...texts].join('\n\n');
}

/** Every file loaded costs a process about a millisecond at its start, which services do often. */
async function buildLibrary(): Promise<void> {
  await build({
    entryPoints: libraryEntries,
    outbase: 'src',
    outdir: 'dist',
    // As deep as a folder of src: a path relative to the own file is the same before and after.
    chunkNames: 'internal/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
  });
}

async function buildCommand(): Promise<void> {
  const { metafile } = await build({
    entryPoints: [join(commandSource, 'ipcm.ts')],
    outdir: commandOutput,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    metafile: true,
    logLevel: 'warning',
    plugins: [keepLibraryExternal],
    banner: {
      // Bundled CommonJS packages call require() for Node's own modules.
      js: [
        '#!/usr/bin/env node',
        "import { createRequire as __createRequire } from 'node:module';",
        'const require = __createRequire(import.meta.url);',
      ].join('\n'),
    },
  });
  chmodSync(join(commandOutput, 'ipcm.js'), 0o755);

  const licences = bundledPackages(metafile).map(licenceOf);
  const introduction = 'ipcm.js contains these packages:';
  const text = [introduction, ...licences].join(`\n\n${'-'.repeat(80)}\n\n`);
  writeFileSync(join(commandOutput, 'THIRD-PARTY-LICENSES.txt'), `${text}\n`);
}

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(1);
await buildLibrary();
await buildCommand();
const native = spawnSync(process.execPath, ['scripts/build-native.ts'], { stdio: 'inherit' });
// The rest works without it, and says so where it is missing; what is published must have it.
if (native.status !== 0) {
  console.log('Notice: dist/ has no native part; the protocols that need it are not viable.');
  if (process.argv.includes('--require-native')) process.exit(1);
}
