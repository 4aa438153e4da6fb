// Usage: node scripts/build-native.ts              builds dist/native/ipcm-PLATFORM-ARCH[-musl].node
//        node scripts/build-native.ts --sanitize   builds it with address and undefined-behaviour checks, elsewhere, and
//                                                  runs the tests of the native part with that
// No node-gyp: a Node-API addon needs a compiler, Node's headers and nothing else. CXX names the compiler (g++),
// NODE_INCLUDE the folder of the headers.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const compiler = process.env['CXX'] ?? 'g++';

/** Places of Node's headers, the pinned ones first; Node-API is the same in all versions that the package supports. */
const includeFolders = [
  process.env['NODE_INCLUDE'],
  ...globSync('{test/runtimes/,}node_modules/node*-linux-*/include/node').toSorted(),
  join(dirname(process.execPath), '../include/node'),
  '/usr/include/node',
  '/usr/local/include/node',
];

class BuildError extends Error {}

function output(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BuildError(`The native part needs a C++17 compiler (apt install g++, or set CXX): ${reason}`);
  }
}

function headers(): string {
  const found = includeFolders.find((folder) => folder !== undefined && existsSync(join(folder, 'node_api.h')));
  if (found !== undefined) return found;
  throw new BuildError(
    'The native part needs the headers of Node (node_api.h, uv.h): npm ci --prefix test/runtimes brings them, ' +
      'or set NODE_INCLUDE to their folder.',
  );
}

const common = [
  '-std=c++17',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-fno-exceptions',
  '-fno-rtti',
  // A worker that was the last to use it would take the code away under the thread of end_with.cc.
  '-Wl,-z,nodelete',
  '-DNAPI_VERSION=8',
];
const warnings = ['-Wall', '-Wextra', '-Werror'];
/** Without the C++ runtime, so that one binary runs on any glibc from 2.14; native/js.h says what that asks of the code. */
const release = ['-O2', '-nodefaultlibs', '-lc', '-Wl,--gc-sections', '-Wl,-z,relro,-z,now', '-s'];
const sanitized = ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

function build(folder: string, options: string[]): string {
  const libc = output(compiler, ['-dumpmachine']).includes('musl') ? '-musl' : '';
  const target = resolve(folder, `ipcm-${process.platform}-${process.arch}${libc}.node`);
  const include = headers();
  mkdirSync(folder, { recursive: true });
  // Renamed into place: a process that runs the old one keeps it whole.
  const unfinished = `${target}.${process.pid}`;
  const sources = globSync('native/*.cc').toSorted();
  const args = [...common, '-isystem', include, ...sources, ...options, '-o', unfinished];
  const { status, error } = spawnSync(compiler, args, { stdio: 'inherit' });
  if (status !== 0) {
    rmSync(unfinished, { force: true });
    throw new BuildError(`${compiler} could not build the native part${error ? `: ${error.message}` : ''}`);
  }
  renameSync(unfinished, target);
  return target;
}

/**
 * The leaks of memory that our code asked for, itself or through Node-API: it stands among the innermost callers. Node frees
 * little when it exits, and what it allocates further below or above our calls is not ours to judge.
 */
function ourLeaks(folder: string): string[] {
  const reports = readdirSync(folder).filter((name) => name.startsWith('report'));
  const blocks = reports.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n\n'));
  return blocks.filter((block) => {
    const innermost = block.slice(0, block.search(/^ *#6 /m));
    return / leak of /.test(block) && /native\/\w+\.(?:cc|h)\b|ipcm-linux/.test(innermost);
  });
}

function sanitize(): void {
  const folder = mkdtempSync(join(tmpdir(), 'ipcm-sanitize-'));
  const binary = build(folder, [...warnings, ...sanitized]);
  const runtimes = ['libasan.so', 'libubsan.so'].map((name) => output(compiler, [`-print-file-name=${name}`]));
  const env = {
    ...process.env,
    IPCM_NATIVE: binary,
    LD_PRELOAD: runtimes.join(':'),
    // An error ends the process that made it, at once; leaks are looked through here.
    ASAN_OPTIONS: `log_path=${join(folder, 'report')}:detect_leaks=1:abort_on_error=0:exitcode=99`,
    LSAN_OPTIONS: 'exitcode=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const options = ['--test', '--test-timeout=300000', '--test-concurrency=1'];
  const tests = globSync('test/native/*.test.ts').toSorted();
  const { status } = spawnSync(process.execPath, [...options, ...tests], { stdio: 'inherit', env });
  const reports = readdirSync(folder).filter((name) => name.startsWith('report'));
  const errors = reports.filter((name) =>
    /ERROR: AddressSanitizer|runtime error/.test(readFileSync(join(folder, name), 'utf8')),
  );
  const leaks = ourLeaks(folder);
  for (const name of errors) console.error(readFileSync(join(folder, name), 'utf8'));
  for (const leak of leaks) console.error(leak);
  console.log(
    `${reports.length} reports: ${errors.length} errors, ${leaks.length} leaks of ours (Node's own are not counted)`,
  );
  if (status !== 0 || errors.length + leaks.length > 0) throw new BuildError(`The sanitized run failed; see ${folder}`);
  rmSync(folder, { recursive: true });
}

try {
  if (process.platform !== 'linux') throw new BuildError(`The native part is for Linux, not ${process.platform}.`);
  if (process.argv.includes('--sanitize')) sanitize();
  else console.log(build('dist/native', [...warnings.slice(0, 2), ...release]));
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
