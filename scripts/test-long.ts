// Usage: npm run test:long [-- file...]
// The tests of what is promised in numbers, with those numbers, on every protocol and with nothing beside: it takes most of
// an hour. Run it before a release, and after changes to how death is noticed, to outboxes, or to what a client leaves behind.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));

const databases = ['SQLite', 'PostgreSQL', 'MariaDB', 'MySQL'];
const local = ['AtomicPipe', 'UnixSocket', 'ConnectionUnix', 'SQLite', 'MessageFiles'];
const all = [...new Set([...local, ...databases])].join(',');

const numbers = {
  IPCM_KILLS: '100',
  IPCM_KILL_PROTOCOLS: all,
  IPCM_STALL: '10000',
  IPCM_STALL_PROTOCOLS: all,
  IPCM_CYCLES: '10000',
  IPCM_PROCESS_CYCLES: '20',
  IPCM_CYCLE_PROTOCOLS: local.join(','),
  IPCM_TRAFFIC_ROUNDS: '600',
  IPCM_TRAFFIC_BYTES: '1000000000',
  IPCM_TRAFFIC_PAUSE: '60000',
  IPCM_BACKLOG: '1000000',
};

const files = [
  'test/service/kills.test.ts',
  'test/service/stalls.test.ts',
  'test/service/cycles.test.ts',
  'test/traffic/*.test.ts',
  'test/sqlite/messages.test.ts',
  'test/postgresql/backlog.test.ts',
  'test/mariadb/server.test.ts',
  'test/mysql/server.test.ts',
];

const options = ['--test-timeout=3600000', '--test-concurrency=1'];
const chosen = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  ['scripts/test-unit.ts', ...options, ...(chosen.length > 0 ? chosen : files)],
  { stdio: 'inherit', env: { ...process.env, ...numbers } },
);
process.exit(status ?? 1);
