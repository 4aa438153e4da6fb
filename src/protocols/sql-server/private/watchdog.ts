/**
 * Making a server's data and starting it, so that all of it ends with its owner, however that ends.
 *
 * Between the two is a shell that reads from a pipe of which the owner holds the other end: when the owner is gone, killed or
 * not, the pipe ends, the shell ends what runs and removes the folder. Should the shell be killed, the kernel ends
 * the server where util-linux's setpriv is at hand. The shell runs with the owner's rights, all else with fewer: so what the
 * shell and the owner write lies where none of those can put a link in its place.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { logPath, pidPath } from './folder.ts';
import { findProgram, type RunAs } from './programs.ts';
import type { Command } from './recipe.ts';

/**
 * $1 folder to remove, $2 file for the server's pid; the steps follow as text. What makes the data has a process group of its
 * own where there is setsid, since initdb has children. The signal is repeated: a server that has only just begun has no handler
 * yet, and ignores it. A server that shall go on without us outlives the shell, which is killed.
 */
const script = `trap '' INT HUP TERM QUIT PIPE
dir=$1 pidfile=$2
step() {
  kind=$1 sig=$2; shift 2
  ( trap - INT HUP TERM QUIT PIPE; exec "$@" 3<&- ) & srv=$!
  [ $kind = make ] || echo $srv >"$pidfile"
  ( exec >/dev/null 2>&1; word=; read -r word <&3
    if [ "$word" = keep ]; then kill -s KILL $$; exit; fi
    i=0; while [ $i -lt 30 ] && kill -s $sig $srv; do sleep 0.1; i=$((i+1)); done; kill -s KILL $srv ) & dog=$!
  wait $srv; rc=$?
  kill -s KILL $dog 2>/dev/null
  [ $kind = serve ] || kill -s KILL -- -$srv 2>/dev/null
  return $rc
}
`;

/** Children that were killed may be in the middle of making a file. */
const removal = `rc=$?; i=0
until rm -rf -- "$dir" 2>/dev/null || [ $i -ge 20 ]; do sleep 0.1; i=$((i+1)); done
exit $rc`;

/** What a server is started with. */
export interface Launch {
  /** What makes its data, one after the other; then the server itself. All are what {@link restricted} made of them. */
  readonly prepare: readonly Command[];
  readonly serve: Command;
  /** Signal that ends the server. */
  readonly stop: NodeJS.Signals;
  /** The store's folder: removed when the server has ended, or does not come to be. */
  readonly folder: string;
  /** Where it runs. */
  readonly run: string;
}

/** A server that was started. */
export interface Launched {
  readonly child: ChildProcess;
  /** Resolves when the shell, and with it the server, has ended. */
  readonly ended: Promise<void>;
  /** The pipe whose end has the shell end the server. */
  readonly pipe: Socket;
  /** What the server says, to be read from its beginning, and to be closed. */
  readonly log: number;
  /** Lets the shell end the server. */
  letGo(): void;
  /** Lets the server go on without us, and without the shell. */
  keep(): Promise<void>;
}

export const short = (signal: NodeJS.Signals): string => signal.replace(/^SIG/, '');

/** The command with the rights that it shall have; undefined where they cannot be given up. `abort`: for when the shell is killed. */
export function restricted({ program, args }: Command, as: RunAs | undefined, abort: string): Command | undefined {
  const setpriv = findProgram('setpriv');
  if (setpriv === undefined) return as === undefined ? { program, args } : undefined;
  const user = as === undefined ? [] : [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
  return { program: setpriv, args: [...user, '--pdeathsig', abort, '--', program, ...args] };
}

/** Nothing of ours leaks into a server, and what it says is English. */
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const spelled = (...words: readonly string[]): string => words.map(quoted).join(' ');

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_RDWR } = constants;

/** Makes the data and starts the server, in the background. */
export function launch({ prepare, serve, stop, folder, run }: Launch): Launched {
  const setsid = findProgram('setsid');
  const steps = prepare.map(({ program, args }) =>
    spelled('step', 'make', 'KILL', ...(setsid === undefined ? [] : [setsid]), program, ...args),
  );
  steps.push(spelled('step', 'serve', short(stop), serve.program, ...serve.args));
  const log = openSync(logPath(folder), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const text = `${script}${steps.join(' && ')}\n${removal}`;
    const child = spawn('/bin/sh', ['-c', text, 'ipcm-server', folder, pidPath(folder)], {
      cwd: run,
      env: environment,
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
    });
    child.unref();
    const pipe = child.stdio[3] as Socket;
    pipe.unref();
    // The other end closes when the server has ended.
    pipe.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const keep = async (): Promise<void> => {
      child.ref();
      pipe.write('keep\n');
      await ended;
      pipe.destroy();
    };
    return { child, ended, log, pipe, letGo: () => pipe.destroy(), keep };
  } catch (error) {
    closeSync(log);
    throw error;
  }
}
