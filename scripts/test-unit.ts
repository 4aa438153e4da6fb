// Usage: node scripts/test-unit.ts [file or pattern or option of node --test]...
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const args = process.argv.slice(2);
const hasFiles = args.some((arg) => !arg.startsWith('-'));
const options = ['--test', '--test-timeout=60000', '--test-concurrency=2', '--test-reporter=./scripts/reporter.ts'];
const files = hasFiles ? [] : ['test/**/*.test.ts'];
// Otherwise each of the thousands of processes takes the types out of the sources anew, which is most of its start.
const cache = join(process.cwd(), 'node_modules/.cache/ipcm-tests');
// Modules that tests write under names of their own would pile up in it.
if (!hasFiles) rmSync(cache, { recursive: true, force: true });
const env = { ...process.env, NODE_COMPILE_CACHE: cache };
const { status } = spawnSync(process.execPath, [...options, ...args, ...files], { stdio: 'inherit', env });
process.exit(status ?? 1);
