/** The user's option file, `~/.my.cnf`, as the databases' own tools read it: https://mariadb.com/kb/en/configuring-mariadb-with-option-files/ */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ' };

/** The settings of the groups named. Of a setting given twice the last counts. */
export function optionFile(groups: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const path = join(homedir(), '.my.cnf');
  let text: string;
  try {
    // One that anybody can change is not looked at, as the tools have it.
    if ((statSync(path).mode & 0o002) !== 0) return found;
    text = readFileSync(path, 'utf8');
  } catch {
    // Most have none.
    return found;
  }
  let group = '';
  for (const line of text.split('\n')) {
    group = /^\s*\[([^\]]+)\]/.exec(line)?.[1] ?? group;
    const [, key, value] = /^\s*([\w-]+)\s*=(.*)$/s.exec(line) ?? [];
    if (key !== undefined && value !== undefined && groups.includes(group)) found.set(key, valueOf(value));
  }
  return found;
}

/** A value without the comment behind it, without its quotes, and with what its backslashes stand for. */
function valueOf(text: string): string {
  const [bare = ''] = /^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^#'"]|['"].*$)*/s.exec(text) ?? [];
  const [, , quoted = bare.trim()] = /^(["'])(.*)\1$/s.exec(bare.trim()) ?? [];
  return quoted.replace(/\\([btnrs\\'"])/g, (_, letter: string) => escapes[letter] ?? letter);
}
