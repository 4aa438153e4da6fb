/**
 * Settings of a private server: small, quick to start, and careless about power cuts, after which there is nobody left who
 * could want its data.
 */

/** What both databases know. */
export const lean = [
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-flush-method=nosync',
  '--innodb-doublewrite=0',
  // Taken when it is used. A backlog that does not fit costs reading and writing files.
  '--innodb-buffer-pool-size=128M',
  '--innodb-log-buffer-size=8M',
  '--innodb-buffer-pool-load-at-startup=0',
  '--innodb-buffer-pool-dump-at-shutdown=0',
  '--innodb-autoextend-increment=1',
  '--innodb-stats-persistent=0',
  '--skip-log-bin',
  '--performance-schema=0',
  '--skip-name-resolve',
  '--skip-networking',
  '--key-buffer-size=1M',
  '--max-connections=1000',
  '--max-prepared-stmt-count=1048576',
  '--max-allowed-packet=1G',
  '--character-set-server=utf8mb4',
] as const;

/** Name of the database in a private server. */
export const databaseName = 'ipcm';
