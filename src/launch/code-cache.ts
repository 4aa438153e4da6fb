/**
 * What V8 makes of the files of a started process is kept beside this package for the next one: reading them anew takes each a
 * third of the time in which Node itself starts. Python does the same with its `__pycache__`.
 *
 * It is Node's own compile cache (from 22.1 on, https://nodejs.org/api/module.html#module-compile-cache): it knows the content of
 * each file, so that nothing in it is ever stale, and does without where the folder cannot be written. The modules of services are kept
 * too; when there are very many, all begins anew. Nothing is kept in a package of another user: root would leave files there that
 * its owner cannot remove.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const variable = 'NODE_COMPILE_CACHE';

/** Files that are kept for one version of Node at most: some ten are this package's. */
const mostFiles = 512;

/** How many processes are started between two looks at that. */
const interval = 100;

/** Where the built files are; undefined where this package runs from its sources. Right in every folder of the first level. */
const built = import.meta.url.endsWith('.js') ? fileURLToPath(new URL('..', import.meta.url)) : undefined;

const folder = built && `${built}.cache`;

let started = 0;
let isOurs: boolean | undefined;

/** The environment of a process to be started, with the folder unless it says otherwise, or what is run is to be counted. */
export function withCodeCache(env: Record<string, string | undefined>): Record<string, string | undefined> {
  if (built === undefined || folder === undefined || variable in env || env['NODE_V8_COVERAGE'] !== undefined)
    return env;
  isOurs ??= statSync(built).uid === (process.geteuid?.() ?? 0);
  if (!isOurs) return env;
  if (started++ % interval === 0) trim(folder);
  return { ...env, [variable]: folder };
}

/** In a started process: those that it starts itself are not concerned. */
export function forgetCodeCache(): void {
  if (process.env[variable] === folder) delete process.env[variable];
}

function trim(path: string): void {
  try {
    for (const version of readdirSync(path)) {
      const kept = `${path}/${version}`;
      if (readdirSync(kept).length > mostFiles) rmSync(kept, { recursive: true });
    }
  } catch {
    // It is not there yet, not ours to change, or being changed by another process.
  }
}
