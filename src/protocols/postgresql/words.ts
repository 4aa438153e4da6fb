/** How PostgreSQL's data sources are written, and where its own tools look for user and password. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DataSource, RouteWords } from '../sql-server/data-source.ts';
import { systemUser } from '../sql-server/target.ts';

/** The words of its routes. */
export const words: RouteWords = {
  drivers: {
    Pg: {
      database: ['dbname', 'database', 'db'],
      host: ['host', 'hostaddr'],
      port: ['port'],
      // A host that begins with a slash is the directory of a socket.
      socket: [],
      kept: ['options', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
    },
  },
  schemes: ['postgres', 'postgresql'],
  example: 'dbi:Pg:dbname=ipcm;host=/tmp/pg;port=5432',
};

/** The user that libpq takes when it is told of none. */
export function defaultUser(): string | undefined {
  return process.env['PGUSER'] ?? systemUser();
}

/** The password that libpq takes: from the environment, else from the file `.pgpass`. */
export function defaultPass(source: DataSource, user: string | undefined): string | undefined {
  const { PGPASSWORD: given, PGPASSFILE: file = join(homedir(), '.pgpass'), PGDATABASE, PGHOST, PGPORT } = process.env;
  if (given !== undefined) return given;
  const host = source.host ?? PGHOST ?? 'localhost';
  const wanted = [
    host.startsWith('/') ? 'localhost' : host,
    String(source.port ?? PGPORT ?? 5432),
    source.database ?? PGDATABASE ?? user ?? '',
    user ?? '',
  ];
  for (const line of lines(file)) {
    if (line.startsWith('#')) continue;
    const fields = [...line.matchAll(/(?:^|:)((?:[^:\\]|\\.)*)/g)].map(([, field = '']) =>
      field.replace(/\\(.)/g, '$1'),
    );
    const pass = fields[4];
    if (pass !== undefined && wanted.every((value, n) => fields[n] === '*' || fields[n] === value)) return pass;
  }
  return undefined;
}

/** The lines of a file of passwords; of none that others can read, as libpq has it. */
function lines(file: string): string[] {
  try {
    return (statSync(file).mode & 0o077) === 0 ? readFileSync(file, 'utf8').split(/\r?\n/) : [];
  } catch {
    // Nobody has to have one.
    return [];
  }
}
