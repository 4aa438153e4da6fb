/** Private servers: one for one store, made with it, and gone with it. */
import { execFile } from 'node:child_process';
import { closeSync, fstatSync, readFileSync, readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { IpcError } from '../../../errors.ts';
import { isAlive } from '../../../liveness/alive.ts';
import { ownIdentity, readProcStat, type ProcessIdentity } from '../../../liveness/identity.ts';
import { removeTree } from '../../directory/files.ts';
import { foldersOf, makeFolder, readServer, writeServer } from './folder.ts';
import { findPrograms, runAs, type RunAs } from './programs.ts';
import type { Command, Recipe } from './recipe.ts';
import { environment, launch, restricted, type Launched } from './watchdog.ts';

/** Milliseconds that a server may take to be made, and to be ready. */
const patience = 60_000;
/** Milliseconds that it may take to end before it is killed. */
const grace = 3000;

/** The servers that end with this process. */
const owned = new Map<string, Launched>();

/** Why no private server can be started here, if so. */
export function noPrivateServer(recipe: Recipe): string | undefined {
  if (process.platform === 'win32') return 'private servers need a POSIX system';
  const programs = findPrograms(recipe);
  if (typeof programs === 'string') {
    return `no ${programs} was found on PATH or in ${recipe.places.join(', ')}; install ${recipe.package}, or give a route`;
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
  let started: Launched | undefined;
  try {
    const folders = foldersOf(folder);
    const user = userName();
    for (const command of recipe.prepare(folders, programs, user)) await run(command, folders.run, as);
    const command = restricted(recipe.serve(folders, programs), as, guard ? short(recipe.abort) : 'clear');
    if (command === undefined) throw new Error('setpriv is gone');
    const launched = launch({ command, stop: recipe.stop, folder, run: folders.run, guarded: guard });
    started = launched;
    if (guard) {
      owned.set(folder, launched);
      void launched.ended.then(() => owned.delete(folder));
    }
    await ready(recipe.ready, launched);
    const pid = guard ? Number(readFileSync(`${folders.run}/pid`, 'latin1')) : (launched.child.pid ?? 0);
    const identity = { ...ownIdentity(), pid, start: readProcStat(pid)?.start };
    writeServer(folder, protocol, owner, { identity, user });
    return folder;
  } catch (error) {
    if (!guard) started?.child.kill('SIGKILL');
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
    signal(server, recipe.abort);
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

const short = (name: NodeJS.Signals): string => name.replace(/^SIG/, '');

/** The administrator is called as who starts the server: so the reference, and psql, connect without being told whom as. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id that no passwd entry has, as containers like to have.
    return 'ipcm';
  }
}

function run({ program, args, input }: Command, cwd: string, as: RunAs | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: environment, timeout: patience, killSignal: 'SIGKILL' as const, ...as };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${program}: ${tail(stderr) || tail(stdout) || error.message}`, { cause: error }));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

const tail = (text: string): string => text.trim().split('\n').slice(-3).join(' ').slice(-400);

async function ready(pattern: RegExp, { ended, log }: Launched): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  const end = performance.now() + patience;
  // It was opened before: the watchdog removes the folder when the server has ended, and with it what the server said.
  try {
    for (let pause = 2; ; pause = Math.min(pause * 1.3, 50)) {
      // What it said last stands there before it has ended.
      const isLast = over || performance.now() > end;
      const text = readWhole(log);
      if (pattern.test(text)) return;
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
