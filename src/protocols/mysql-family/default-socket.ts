/** Which socket a route leads to that names neither a host of the network nor a socket: the one that the databases' own tools take. */
import { statSync } from 'node:fs';
import type { DataSource } from '../sql-server/data-source.ts';
import type { Target } from '../sql-server/database.ts';
import { optionFile } from './option-file.ts';

/** Where servers put their socket unless told. */
const places = ['/run/mysqld/mysqld.sock', '/var/run/mysqld/mysqld.sock', '/tmp/mysql.sock'] as const;

/** What was found for each target: a connection that is lost is made again to the same server, even if its socket is gone for a while. */
const found = new WeakMap<Target, string | undefined>();

/** The socket to connect to; undefined for the network. `groups` are those of the option file. */
export function socketOf(target: Target, groups: readonly string[]): string | undefined {
  const { source } = target;
  if (source.socket !== undefined || !isUndecided(source)) return source.socket;
  if (!found.has(target)) found.set(target, defaultSocket(groups));
  return found.get(target);
}

/** A port says that it is to be the network. */
function isUndecided({ host, port }: DataSource): boolean {
  return port === undefined && (host === undefined || host === 'localhost');
}

/** One that is named is taken even if it is not there yet. */
export function defaultSocket(groups: readonly string[]): string | undefined {
  const named = optionFile(groups).get('socket') ?? process.env['MYSQL_UNIX_PORT'];
  return named === undefined || named === '' ? places.find(isSocket) : named;
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}
