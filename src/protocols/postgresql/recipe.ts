/** How to start a PostgreSQL server for one store. */
import type { Folders, Recipe } from '../sql-server/private/recipe.ts';

/**
 * Nothing in a temporary store has to survive the end of the machine, so that nothing is synced to disk; what was committed does
 * survive that of any process, the server's own included.
 */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '128MB',
  max_logical_replication_workers: '0',
  shared_buffers: '32MB',
  max_connections: '400',
  jit: 'off',
  // What is removed from a queue would else be stepped over by whoever reads it.
  autovacuum_naptime: '5s',
  dynamic_shared_memory_type: 'mmap',
  unix_socket_permissions: '0700',
  log_destination: 'stderr',
  logging_collector: 'off',
  // No message's content in the log.
  log_min_error_statement: 'panic',
};

const fresh = ['-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync', '--no-instructions', '--wal-segsize=1'];
const run = { port: '5432' };

/** The recipe. */
export const recipe: Recipe = {
  package: 'postgresql',
  programs: { initdb: ['initdb'], postgres: ['postgres'] },
  places: [
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/usr/local/pgsql/bin',
    '/opt/homebrew/opt/postgresql@*/bin',
  ],
  users: ['postgres'],
  prepare: ({ data }, { initdb = '' }, user) => [
    {
      program: initdb,
      args: ['-D', data, '-U', user].concat(fresh),
    },
  ],
  serve: ({ data, run: folder }, { postgres = '' }) => ({
    program: postgres,
    args: ['-D', data, '-k', folder, '-h', '', '-p', run.port].concat(
      Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ),
  }),
  ready: /database system is ready to accept connections/,
  stop: 'SIGQUIT',
  source: ({ run: folder }: Folders) => ({
    driver: 'Pg',
    database: 'postgres',
    host: folder,
    port: Number(run.port),
    socket: undefined,
    kept: {},
  }),
};
