/** Whom to connect as unless told: what the databases' own tools look at. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemUser } from '../sql-server/target.ts';

/** The settings of `[client]` in the user's option file, and of the groups named. */
export function optionFile(groups: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const path = join(homedir(), '.my.cnf');
  let text: string;
  try {
    // One that anybody can change is not looked at, as the databases' own tools have it.
    if ((statSync(path).mode & 0o002) !== 0) return found;
    text = readFileSync(path, 'utf8');
  } catch {
    // Most have none.
    return found;
  }
  let group = '';
  for (const line of text.split('\n')) {
    const [, name] = /^\s*\[([^\]]+)\]/.exec(line) ?? [];
    group = name?.trim() ?? group;
    const [, key, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined || !groups.includes(group)) continue;
    found.set(key, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return found;
}

/** The user: of the option file, else the one who runs this process. */
export function defaultUser(groups: readonly string[]): string | undefined {
  return optionFile(groups).get('user') ?? systemUser();
}

/** The password: `MYSQL_PWD`, else that of the option file, where it is for this user. */
export function defaultPass(groups: readonly string[], user: string | undefined): string | undefined {
  const given = process.env['MYSQL_PWD'];
  if (given !== undefined) return given;
  const options = optionFile(groups);
  return (options.get('user') ?? systemUser()) === user ? options.get('password') : undefined;
}
