// Usage: node scripts/ensure.mjs [--test] command...
// Makes the checkout ready (dependencies, dist/), then runs the command on the Node of node_modules/.bin.
// Plain JavaScript, since on a fresh clone it runs on whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const forTests = process.argv[2] === '--test';
const [command, ...args] = process.argv.slice(forTests ? 3 : 2);

// npm puts this folder on the PATH too, but not when the script is started by hand.
const env = { ...process.env, PATH: resolve('node_modules/.bin') + delimiter + process.env.PATH };

/** Runs a program and returns its exit status; one that could not start or was killed counts as 1. */
function run(program, programArgs) {
  const result = spawnSync(program, programArgs, { stdio: 'inherit', env });
  if (result.error) console.error(`${program}: ${result.error.message}`);
  return result.status ?? 1;
}

function runOrExit(program, programArgs) {
  const status = run(program, programArgs);
  if (status !== 0) process.exit(status);
}

const readPackages = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined);

/** Whether a lock file's "os" or "cpu" (a name, a list, or nothing) admits this machine's. */
const admits = (names, own) => names === undefined || [names].flat().includes(own);

/** Compares what the lock file asks for with what npm wrote down when it last installed. */
function isInstalled(folder) {
  const wanted = readPackages(join(folder, 'package-lock.json'));
  const present = readPackages(join(folder, 'node_modules/.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    if (found !== undefined) return found.version === entry.version && existsSync(join(folder, path));
    const isForThisMachine = admits(entry.os, process.platform) && admits(entry.cpu, process.arch) && !entry.libc;
    return entry.optional === true && !isForThisMachine;
  });
}

/** The newest change anywhere under the paths; folders count, since a deleted file changes only its folder. */
function newestChange(...paths) {
  return Math.max(
    ...paths.map((path) => {
      const stat = statSync(path);
      if (!stat.isDirectory()) return stat.mtimeMs;
      return Math.max(stat.mtimeMs, newestChange(...readdirSync(path).map((name) => join(path, name))));
    }),
  );
}

function isBuilt() {
  const built = 'dist/index.js';
  const sources = [
    'src',
    'native',
    'scripts/build.ts',
    'scripts/build-native.ts',
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
  ];
  return existsSync(built) && statSync(built).mtimeMs >= newestChange(...sources);
}

// The "node" package's binary is fetched by its install script: look whether that ran.
if (!isInstalled('.') || !existsSync('node_modules/.bin/node')) {
  runOrExit('npm', ['ci', '--include=dev']);
  if (!existsSync('node_modules/.bin/node')) {
    console.error('npm ci left no node_modules/.bin/node: did npm skip the install script of the package "node"?');
    process.exit(1);
  }
}
if (forTests && !isInstalled('test/runtimes') && run('npm', ['ci', '--prefix', 'test/runtimes']) !== 0) {
  console.error('Could not install test/runtimes: the tests on other Node versions will be skipped.');
}
if (forTests || !isBuilt()) runOrExit('node', ['scripts/build.ts']);
process.exit(run(command, args));
