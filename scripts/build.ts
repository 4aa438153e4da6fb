// Builds dist/: the library as few files, which start faster than one for each module; their types; the command as a bundle.
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { build, transform, type BuildOptions, type Metafile, type OutputFile, type Plugin } from 'esbuild';

process.chdir(join(import.meta.dirname, '..'));

/** Files of the library that others import or run by their path; what they share is put into dist/internal. */
const libraryEntries = [
  'src/index.ts',
  'src/service/index.ts',
  'src/service/child.ts',
  'src/service/keeper.ts',
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

/** What all have in common. */
const common = {
  bundle: true,
  packages: 'external' as const,
  platform: 'node' as const,
  format: 'esm' as const,
  target: 'node20.19',
  logLevel: 'warning' as const,
} satisfies BuildOptions;

/**
 * Stands for `performance.now`: Node loads node:perf_hooks, which takes more than a millisecond, when `performance` is first named.
 * Each file has its own, since a file that all share would take half a millisecond to load. The function is taken out of `process`
 * once, for that global is a getter, and this is called several times for a message.
 */
const performanceNow =
  'const { hrtime: processHrtime } = process;' +
  'function performanceNow() { const [seconds, nanoseconds] = processHrtime(); return seconds * 1e3 + nanoseconds / 1e6; }';

/** Paths from the root of the repository, and what esbuild knows of each file of the library without bundling it. */
async function exportsOf(files: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const { metafile } = await build({
    ...common,
    entryPoints: [...files],
    outdir: 'dist',
    outbase: 'src',
    bundle: false,
    write: false,
    metafile: true,
  });
  const outputs = Object.values(metafile.outputs);
  return new Map(outputs.map(({ entryPoint = '', exports }) => [entryPoint, exports]));
}

/** The files that some need from their start. */
async function closureOf(entryPoints: readonly string[]): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    ...common,
    entryPoints: [...entryPoints],
    outdir: 'dist',
    splitting: true,
    write: false,
    metafile: true,
  });
  const found = new Set<string>();
  const add = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) add(path);
    }
  };
  for (const file of entryPoints) add(file);
  return found;
}

/** A file of dist/internal that holds some of src/: esbuild by itself makes one for each set of entries that share some. */
class Part {
  readonly name: string;
  readonly files: ReadonlySet<string>;
  /** By file and export, what the export is called in this part. */
  readonly #names = new Map<string, ReadonlyMap<string, string>>();

  constructor(name: string, exports: ReadonlyMap<string, readonly string[]>) {
    this.name = name;
    this.files = new Set(exports.keys());
    const taken = new Set<string>();
    for (const [file, names] of exports) {
      const unique = names.map((each): [string, string] => {
        let alias = each === 'default' ? 'main' : each;
        while (taken.has(alias)) alias += '_';
        taken.add(alias);
        return [each, alias];
      });
      this.#names.set(file, new Map(unique));
    }
  }

  /** The text that exports all of it. */
  get text(): string {
    return [...this.files]
      .map((file) => this.#reexport(file, `./${file}`, ([name, alias]) => [name, alias]))
      .join('\n');
  }

  /** True where its exports have the same names in this part. */
  isPlain(file: string): boolean {
    return [...(this.#names.get(file) ?? [])].every(([name, alias]) => name === alias);
  }

  /** The text that stands for one of its files elsewhere. */
  stub(file: string): string {
    return this.#reexport(file, `${partScheme}${this.name}`, ([name, alias]) => [alias, name]);
  }

  #reexport(file: string, from: string, order: (names: [string, string]) => [string, string]): string {
    const names = [...(this.#names.get(file) ?? [])].map((pair) => order(pair).join(' as '));
    return `export { ${names.join(', ')} } from ${JSON.stringify(from)};`;
  }
}

/** Stands for a part until it is known from where it is imported. */
const partScheme = 'part:';

/** Leaves what is in one of the parts to it. */
function leaveTo(parts: readonly Part[]): Plugin {
  const partOf = (file: string): Part | undefined => parts.find(({ files }) => files.has(file));
  return {
    name: 'leave-to-parts',
    setup(bundler) {
      bundler.onResolve({ filter: /^part:/ }, ({ path }) => ({ path, external: true }));
      bundler.onResolve({ filter: /^\.{0,2}\/|^src\// }, ({ path, resolveDir, kind }) => {
        const file = relative(process.cwd(), resolve(resolveDir, path));
        // Imported when it is needed, from the file that it is built as.
        if (kind === 'dynamic-import' && bundler.initialOptions.stdin !== undefined) {
          return { path: `${partScheme}../${relative('src', file).replace(/\.ts$/, '.js')}`, external: true };
        }
        const part = partOf(file);
        if (part === undefined) return undefined;
        // Esbuild would make a file of its own for each stub that several import.
        if (part.isPlain(file)) return { path: `${partScheme}${part.name}`, external: true };
        return { path: file, namespace: 'part' };
      });
      bundler.onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
        contents: partOf(path)?.stub(path) ?? '',
        resolveDir: process.cwd(),
      }));
    },
  };
}

/**
 * An import of `node:fs` makes Node touch every export of it, and load what stands behind: streams, promises, watchers. So
 * the built files take what they use, and no more. `node:test` is no such module.
 */
function withoutFacades(text: string): string {
  return text
    .replaceAll(/^import \{([^}]*)\} from "(node:(?!test")[^"]+)";/gm, (_, names: string, module: string) => {
      return `const {${names.replaceAll(/(\w+) as (\w+)/g, '$1: $2')}} = process.getBuiltinModule("${module}");`;
    })
    .replaceAll(
      /^import (?:\* as )?(\w+) from "(node:(?!test)[^"]+)";/gm,
      'const $1 = process.getBuiltinModule("$2");',
    );
}

async function write({ outputFiles }: { readonly outputFiles: readonly OutputFile[] }): Promise<void> {
  for (const { path, text } of outputFiles) {
    const folder = relative(dirname(path), 'dist/internal') || '.';
    const place = (part: string): string => (part.endsWith('.js') ? join(folder, part) : join(folder, `${part}.js`));
    const placed = text.replaceAll(/"part:([^"]+)"/g, (_, part: string) =>
      JSON.stringify(place(part).replace(/^(?!\.)/, './')),
    );
    const done = withoutFacades(placed);
    const left = /^import .* from "node:(?!test")[^"]*"/m.exec(done);
    if (left !== null) throw new Error(`${path} imports a builtin in a way that is not known here: ${left[0]}`);
    mkdirSync(dirname(path), { recursive: true });
    const { code } = await transform(done.includes('performance.now') ? `${performanceNow}\n${done}` : done, {
      define: { 'performance.now': 'performanceNow' },
      minifyWhitespace: true,
      lineLimit: 120,
      format: 'esm',
      target: common.target,
    });
    writeFileSync(path, code);
  }
}

/**
 * Every file loaded costs a process half a millisecond at its start, which services do often. So what every service needs is
 * one file, and what the protocols that live in a directory share is another.
 */
async function buildLibrary(): Promise<void> {
  const child = 'src/service/child.ts';
  const parts: Part[] = [];
  for (const [name, entries] of [
    ['core', [child]],
    ['directory', globSync('src/protocols/directory/*.ts').toSorted()],
    ['library', ['src/index.ts', 'src/service/index.ts']],
  ] as const) {
    const files = [...(await closureOf(entries))].filter(
      (file) => !libraryEntries.includes(file) && !parts.some((part) => part.files.has(file)),
    );
    const part = new Part(name, await exportsOf(files));
    await write(
      await build({
        ...common,
        stdin: { contents: part.text, resolveDir: '.', sourcefile: `${name}.js` },
        outfile: `dist/internal/${name}.js`,
        plugins: [leaveTo(parts)],
        write: false,
      }),
    );
    parts.push(part);
  }
  await write(
    await build({
      ...common,
      entryPoints: libraryEntries,
      outbase: 'src',
      outdir: 'dist',
      // As deep as a folder of src: a path relative to the own file is the same before and after.
      chunkNames: 'internal/[name]-[hash]',
      splitting: true,
      plugins: [leaveTo(parts)],
      write: false,
    }),
  );
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
