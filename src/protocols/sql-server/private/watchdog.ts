/**
 * Starting a server so that it ends with its owner, however that ends.
 *
 * Between the two is a shell that reads from a pipe of which the owner holds the other end: when the owner is gone, killed or
 * not, the pipe ends, the shell ends the server and removes the folder. Should the shell be killed, the kernel ends
 * the server where util-linux's setpriv is at hand. The shell runs with the owner's rights, the server with fewer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { findProgram, type RunAs } from './programs.ts';
import type { Command } from './recipe.ts';

/** $1 folder to remove, $2 signal to end the server with, $3 file for its pid, then its command. */
const script = `trap '' INT HUP TERM QUIT PIPE
dir=$1 sig=$2 pidfile=$3; shift 3
( trap - INT HUP TERM QUIT PIPE; exec "$@" 3<&- ) & srv=$!
echo $srv >"$pidfile"
( exec >/dev/null 2>&1; read -r _ <&3; kill -s "$sig" $srv; i=0
  while [ $i -lt 30 ] && kill -0 $srv; do sleep 0.1; i=$((i+1)); done; kill -s KILL $srv ) & dog=$!
exec 3<&-
wait $srv; rc=$?
kill -s KILL $dog 2>/dev/null
rm -rf -- "$dir"
exit $rc`;

/** What a server is started with. */
export interface Launch {
  readonly command: Command;
  /** Signal that ends it in order. */
  readonly stop: NodeJS.Signals;
  /** The store's folder: with `guarded`, removed when the server has ended. */
  readonly folder: string;
  /** Where the server runs, and where its log and pid go. */
  readonly run: string;
  /** True when it shall end with this process. */
  readonly guarded: boolean;
}

/** A server that was started. */
export interface Launched {
  readonly child: ChildProcess;
  /** Resolves when the child, and with it the server, has ended. */
  readonly ended: Promise<void>;
  /** The pipe whose end has the watchdog end the server; undefined for one that goes on without us. */
  readonly pipe: Socket | undefined;
  /** What the server says, to be read from its beginning, and to be closed. */
  readonly log: number;
  /** Lets the watchdog end the server. */
  letGo(): void;
}

const short = (signal: NodeJS.Signals): string => signal.replace(/^SIG/, '');

/** The command with the rights that it shall have; undefined where they cannot be given up. */
export function restricted({ program, args }: Command, as: RunAs | undefined, abort: string): Command | undefined {
  const setpriv = findProgram('setpriv');
  if (setpriv === undefined) return as === undefined ? { program, args } : undefined;
  const user = as === undefined ? [] : [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
  return { program: setpriv, args: [...user, '--pdeathsig', abort, '--', program, ...args] };
}

/** Nothing of ours leaks into a server, and what it says is English. */
export const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Starts a server in the background. The command is what {@link restricted} made of it. */
export function launch({ command, stop, folder, run, guarded }: Launch): Launched {
  const log = openSync(`${run}/log`, 'a+', 0o600);
  try {
    const options = { cwd: run, env: environment, detached: true };
    // The mark by which a CI run finds what it left.
    const marked = process.env['IPCM_CI_RUN'];
    const env = marked === undefined ? environment : { ...environment, IPCM_CI_RUN: marked };
    const child = guarded
      ? spawn(
          '/bin/sh',
          ['-c', script, 'ipcm-server', folder, short(stop), `${run}/pid`, command.program, ...command.args],
          {
            ...options,
            env,
            stdio: ['ignore', log, log, 'pipe'],
          },
        )
      : spawn(command.program, command.args, {
          ...options,
          env,
          stdio: ['ignore', log, log],
        });
    child.unref();
    const pipe = child.stdio[3] as Socket | null | undefined;
    pipe?.unref();
    // The other end closes when the server has ended.
    pipe?.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    return { child, ended, log, pipe: pipe ?? undefined, letGo: () => pipe?.destroy() };
  } catch (error) {
    closeSync(log);
    throw error;
  }
}
