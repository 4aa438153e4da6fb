// Usage: node scripts/test-unit.ts [file or pattern or option of node --test]...
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const args = process.argv.slice(2);
const hasFiles = args.some((arg) => !arg.startsWith('-'));
const options = ['--test', '--test-timeout=60000', '--test-concurrency=2', '--test-reporter=./scripts/reporter.ts'];
const files = hasFiles ? [] : ['test/**/*.test.ts'];
const { status } = spawnSync(process.execPath, [...options, ...args, ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
