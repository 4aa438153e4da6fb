/** Finding the programs of a server, and the user to run them as. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Recipe } from './recipe.ts';

/** Whom a server runs as: somebody other than root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/** The programs by the recipe's names for them, or the name of one that is missing. */
export function findPrograms(recipe: Recipe): Readonly<Record<string, string>> | string {
  const found: Record<string, string> = {};
  // All from one place: of two versions on a machine, the one's server does not serve the other's data.
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  for (const folders of [...recipe.places.flatMap(expand).map((folder) => [folder]), path, ['/usr/sbin', '/usr/bin']]) {
    for (const [name, files] of Object.entries(recipe.programs)) {
      const accepted = recipe.accepts?.[name];
      const file = files
        .flatMap((each) => folders.map((folder) => join(folder, each)))
        .find((path) => isExecutable(path) && (accepted === undefined || accepted.test(versionOf(path))));
      if (file !== undefined) found[name] ??= file;
    }
    if (Object.keys(found).length === Object.keys(recipe.programs).length) return found;
    if (folders !== path) for (const name of Object.keys(found)) delete found[name];
  }
  return Object.keys(recipe.programs).find((name) => found[name] === undefined) ?? '';
}

/** What programs say of themselves: asked once. */
const versions = new Map<string, string>();

function versionOf(path: string): string {
  let version = versions.get(path);
  if (version === undefined) {
    const { stdout } = spawnSync(path, ['--no-defaults', '--version'], { encoding: 'utf8', timeout: 10_000, env: {} });
    versions.set(path, (version = stdout ?? ''));
  }
  return version;
}

/** A program anywhere on `PATH` or in the usual places. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/sbin'];
  return folders
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** Folders that fit a pattern, the highest version first. */
function expand(pattern: string): string[] {
  const star = pattern.indexOf('*');
  if (star === -1) return [pattern];
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  let names: string[];
  try {
    names = readdirSync(before);
  } catch {
    // Not there, or not to be read: then nothing in it is of use.
    return [];
  }
  names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return names.map((name) => before + name + after);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whom a server runs as that root starts; undefined where the caller is not root, and may run it. */
export function runAs(users: readonly string[]): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  let lines: string[] = [];
  try {
    lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  } catch {
    // No passwd file: the number of nobody is the same everywhere on Linux.
  }
  for (const user of [...users, 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${user}:`))?.split(':') ?? [];
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}
