/** Private servers: one for one store, made with it, and gone with it. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError } from '../../../errors.ts';
import { isAlive } from '../../../liveness/alive.ts';
import { ownIdentity, readProcStat, type ProcessIdentity } from '../../../liveness/identity.ts';
import { removeTree } from '../../directory/files.ts';
import { foldersOf, makeFolder, readPid, readServer, writeServer } from './folder.ts';
import { findPrograms, runAs } from './programs.ts';
import type { Recipe } from './recipe.ts';
import { launch, restricted, short, type Launched } from './watchdog.ts';

/** Milliseconds that a server may take to be made and to be ready. */
const patience = 120_000;
/** Milliseconds that it may take to end before it is killed. */
const grace = 3000;

/** The servers that end with this process. */
const owned = new Map<string, Launched>();

/** Why no private server can be started here, if so. */
export function noPrivateServer(recipe: Recipe): string | undefined {
  if (process.platform === 'win32') return 'private servers need a POSIX system';
  const programs = findPrograms(recipe);
  if (typeof programs === 'string') {
    const files = recipe.programs[programs]?.join(' or ') ?? programs;
    const where = ['on PATH', ...recipe.places.map((place) => `in ${place}`)].join(' or ');
    return `no ${files} was found ${where}; install ${recipe.package}, or give a route`;
  }
  const as = runAs(recipe.users);
  if (restricted({ program: '', args: [] }, as, 'KILL') === undefined)
    return 'root needs setpriv (of util-linux) to start a server that is not root; install it, or give a route';
  return undefined;
}

/** Starts a server in a new folder, which it returns. */
export async function startPrivate(
  protocol: string,
  recipe: Recipe,
  { owner, guard }: { readonly owner: ProcessIdentity; readonly guard: boolean },
): Promise<string> {
  const programs = findPrograms(recipe);
  const reason = noPrivateServer(recipe);
  if (reason !== undefined || typeof programs === 'string')
    throw new IpcError('IPCM_NOT_VIABLE', `${protocol}: ${reason}`, { protocol });
  const as = runAs(recipe.users);
  const folder = makeFolder(protocol, owner, guard, as);
  try {
    const folders = foldersOf(folder);
    const user = userName();
    const prepare = recipe.prepare(folders, programs, user).map((command) => restricted(command, as, 'KILL'));
    const serve = restricted(recipe.serve(folders, programs), as, guard ? short(recipe.stop) : 'clear');
    if (serve === undefined || !prepare.every((command) => command !== undefined)) throw new Error('setpriv is gone');
    // Also one that is to go on without us ends with us until it is there.
    const launched = launch({ prepare, serve, stop: recipe.stop, folder, run: folders.run });
    owned.set(folder, launched);
    void launched.ended.then(() => owned.delete(folder));
    const pid = await ready(folder, recipe.ready, launched);
    const identity = { ...ownIdentity(), pid, start: readProcStat(pid)?.start };
    writeServer(folder, protocol, owner, { identity, user });
    if (!guard) await launched.keep();
    return folder;
  } catch (error) {
    await stopPrivate(folder, recipe);
    if (error instanceof IpcError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const text = `cannot start a private ${protocol} server: ${why}`;
    throw new IpcError(/no space left/i.test(why) ? 'IPCM_STORE_FULL' : 'IPCM_STORE_FAILED', text, {
      cause: error,
      protocol,
    });
  }
}

/** The pipes by which this process keeps the server of a folder: it ends when nobody holds them any more. */
export function pipesOf(folder: string): readonly Socket[] {
  const pipe = owned.get(folder)?.pipe;
  return pipe === undefined ? [] : [pipe];
}

/** Ends the server of a folder, whoever started it, and removes the folder. */
export async function stopPrivate(folder: string, recipe: Recipe): Promise<void> {
  const launched = owned.get(folder);
  const server = readServer(folder)?.identity;
  launched?.letGo();
  if (server !== undefined) signal(server, recipe.stop);
  if (launched !== undefined) {
    // Waited for, it keeps the process alive.
    launched.child.ref();
    await launched.ended;
  }
  if (server !== undefined) {
    const end = performance.now() + grace;
    while (isAlive(server)) {
      if (performance.now() > end) signal(server, 'SIGKILL');
      await sleep(2);
    }
  }
  removeTree(folder);
}

/** The same without the event loop. */
export function stopPrivateSync(folder: string, recipe: Recipe): void {
  const server = readServer(folder)?.identity;
  if (server !== undefined) {
    signal(server, recipe.stop);
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + 500;
    while (isAlive(server) && performance.now() < end) Atomics.wait(clock, 0, 0, 1);
    signal(server, 'SIGKILL');
  }
  removeTree(folder);
}

function signal(server: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    if (isAlive(server)) process.kill(server.pid, name);
  } catch {
    // Ended meanwhile, or another user's: whoever waits for its end finds out.
  }
}

/** The administrator is called as who starts the server: so the reference, and psql, connect without being told whom as. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id that no passwd entry has, as containers like to have.
    return 'ipcm';
  }
}

const tail = (text: string): string => text.trim().split('\n').slice(-3).join(' ').slice(-400);

/** Waits until the server takes connections; resolves to its pid. */
async function ready(folder: string, pattern: RegExp, { ended, log }: Launched): Promise<number> {
  let over = false;
  void ended.then(() => (over = true));
  const end = performance.now() + patience;
  // It was opened before: the watchdog removes the folder when the server has ended, and with it what the server said.
  try {
    for (let pause = 2; ; pause = Math.min(pause * 1.3, 50)) {
      // What it said last stands there before it has ended.
      const isLast = over || performance.now() > end;
      const text = readWhole(log);
      // Until there is one, what made its data speaks.
      const pid = readPid(folder);
      if (pid !== undefined && pattern.test(text)) return pid;
      if (isLast) throw new Error(`it did not start: ${tail(text)}`);
      await sleep(pause);
    }
  } finally {
    closeSync(log);
  }
}

function readWhole(descriptor: number): string {
  const bytes = Buffer.alloc(fstatSync(descriptor).size);
  return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
}
